package pipeline_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/client/pipeline"
)

// TestHostileYAMLCostsLittle parses short files that expand into very large ones.
func TestHostileYAMLCostsLittle(t *testing.T) {
	var laughs strings.Builder
	laughs.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := range 9 {
		fmt.Fprintf(&laughs, "a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 10), ","))
	}
	tests := map[string]struct{ content, want string }{
		"itself":           {"pipelines: &p\n  a: *p\n", "contains itself"},
		"itself, in lists": {"pipelines: &p [*p, *p, *p]\n", "contains itself"},
		"a billion laughs": {laughs.String(), "is too much"},
		"deep":             {"pipelines: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "nested"},
		"large":            {"pipelines: " + strings.Repeat(" ", 5<<20), "too large"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := pipeline.Parse("pipelines.yaml", []byte(test.content))
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %.300v, want %q", err, test.want)
			}
			if spent := (after.TotalAlloc - before.TotalAlloc) >> 20; spent > 256 {
				t.Errorf("it took %d MiB", spent)
			}
		})
	}
}
