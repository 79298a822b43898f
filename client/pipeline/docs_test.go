package pipeline_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stripe-connector/stripe-connector/client/pipeline"
)

// TestDocumentedFiles parses the examples in the documentation.
func TestDocumentedFiles(t *testing.T) {
	for _, path := range []string{"../../README.md", "../../docs/pipelines.md"} {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		examples := regexp.MustCompile("(?s)```yaml\n(pipelines:.*?)```").FindAllSubmatch(content, -1)
		if len(examples) == 0 {
			t.Errorf("%s has no example", path)
		}
		for _, e := range examples {
			f, err := pipeline.Parse(path, e[1])
			if err != nil {
				t.Error(err)
				continue
			}
			for _, p := range f.Pipelines {
				if _, err := p.Resolve(t.Context(), func(string) string { return "x" }); err != nil && p.Name != "acme-us" { // its key is in a file
					t.Error(err)
				}
			}
		}
	}
}
