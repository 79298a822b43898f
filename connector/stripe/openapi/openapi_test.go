package openapi

import (
	"encoding/json"
	"testing"
)

// TestDocuments checks that each document describes the version that it is listed under, and that its examples are complete.
func TestDocuments(t *testing.T) {
	before := ""
	for _, d := range Documents() {
		var spec struct {
			Info       struct{ Version string }
			Paths      map[string]json.RawMessage
			Components struct{ Schemas map[string]json.RawMessage }
		}
		var fixtures struct{ Resources map[string]json.RawMessage }
		if err := json.Unmarshal(d.Spec, &spec); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(d.Fixtures, &fixtures); err != nil {
			t.Fatal(err)
		}
		if spec.Info.Version != d.Version {
			t.Errorf("the document of %s says that it is that of %s", d.Version, spec.Info.Version)
		}
		if len(spec.Paths) < 300 || len(spec.Components.Schemas) < 770 || len(fixtures.Resources) < 125 {
			t.Errorf("%s: %d paths, %d schemas and %d examples", d.Version, len(spec.Paths), len(spec.Components.Schemas), len(fixtures.Resources))
		}
		if d.Version <= before {
			t.Errorf("%s comes after %s", d.Version, before)
		}
		before = d.Version
	}
}
