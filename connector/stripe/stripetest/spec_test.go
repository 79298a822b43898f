package stripetest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector/stripe/openapi"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

// document is the part of Stripe's OpenAPI document that these tests read.
type document struct {
	Paths map[string]map[string]struct {
		Parameters []struct {
			Name     string
			In       string
			Required bool
		}
		Responses map[string]struct {
			Content map[string]struct{ Schema responseSchema }
		}
	}
	Components struct{ Schemas map[string]responseSchema }
}

type responseSchema struct {
	Ref        string `json:"$ref"`
	Properties map[string]struct{ Enum []any }
}

func openAPI(t testing.TB, source openapi.Document) document {
	t.Helper()
	var d document
	// Only GET is decoded; other methods have other shapes.
	var raw struct {
		Paths      map[string]map[string]json.RawMessage
		Components json.RawMessage
	}
	if err := json.Unmarshal(source.Spec, &raw); err != nil {
		t.Fatal(err)
	}
	trimmed := map[string]map[string]json.RawMessage{}
	for path, methods := range raw.Paths {
		if get := methods["get"]; get != nil {
			trimmed[path] = map[string]json.RawMessage{"get": get}
		}
	}
	text, err := json.Marshal(map[string]any{"Paths": trimmed, "Components": raw.Components})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// listEndpoints returns the paths that return a list, with the names of their parameters.
func (d document) listEndpoints() map[string][]string {
	found := map[string][]string{}
	for path, methods := range d.Paths {
		s := methods["get"].Responses["200"].Content["application/json"].Schema
		if s.Ref != "" {
			s = d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
		}
		object := s.Properties["object"].Enum
		if len(object) != 1 || object[0] != "list" && object[0] != "search_result" {
			continue
		}
		names := []string{}
		for _, p := range methods["get"].Parameters {
			if p.In == "query" {
				names = append(names, p.Name)
			}
		}
		found[path] = names
	}
	return found
}

// unserved are the list endpoints that the simulated Stripe does not support.
var unserved = []string{}

func TestEveryListEndpointIsServed(t *testing.T) {
	s := New(fixed())
	for _, source := range openapi.Documents() {
		t.Run(source.Version, func(t *testing.T) {
			e, _ := schema.Of(source.Version)
			expectServed(t, s.modelOf(source.Version), openAPI(t, source), e)
		})
	}
}

func expectServed(t *testing.T, m *model, d document, e schema.Edition) {
	t.Helper()
	endpoints := d.listEndpoints()
	if want := map[string]int{"2022-11-15": 108, "2023-10-16": 119, "2026-08-26.dahlia": 131}[e.Version]; len(endpoints) != want {
		t.Errorf("the document has %d list endpoints; %d were expected", len(endpoints), want)
	}
	known := map[string]*route{}
	for i := range m.routes {
		known[m.routes[i].path] = &m.routes[i]
	}
	for path, names := range endpoints {
		r := known[path]
		if r == nil {
			if !slices.Contains(unserved, path) {
				t.Errorf("%s is not served", path)
			}
			continue
		}
		checkParameters(t, r, names, e)
		delete(known, path)
	}
	documented := map[string]bool{}
	for path := range d.Paths {
		documented[path] = true
	}
	for path, r := range known {
		if r.one && documented[path] || r.inline && !documented[path] {
			continue
		}
		if !slices.ContainsFunc(sdkRoutes(), func(r route) bool { return r.path == path }) {
			t.Errorf("%s is served, but the document does not have it", path)
		}
	}
}

// checkParameters compares a route's parameters with the document's. A document older than that of APIVersion may lack some. A newer
// one may have others, unless it is the first with the endpoint. Both were added later, and are optional.
func checkParameters(t *testing.T, r *route, names []string, e schema.Edition) {
	t.Helper()
	var ours []string
	for _, p := range r.params {
		ours = append(ours, p.name)
	}
	ours = append(ours, "expand")
	if r.created {
		ours = append(ours, "created")
	}
	switch {
	case r.search:
		ours = append(ours, "limit", "page")
	case !r.unpaged:
		ours = append(ours, "limit", "starting_after", "ending_before")
	}
	if r.forward {
		ours = slices.DeleteFunc(ours, func(name string) bool { return name == "ending_before" })
	}
	slices.Sort(ours)
	slices.Sort(names)
	if e.Version < APIVersion {
		ours = slices.DeleteFunc(ours, func(name string) bool { return !slices.Contains(names, name) })
	}
	if e.Version > APIVersion && r.since != e.Version {
		names = slices.DeleteFunc(names, func(name string) bool { return !slices.Contains(ours, name) })
	}
	if !slices.Equal(ours, names) {
		t.Errorf("%s takes %v, the document says %v", r.path, ours, names)
	}
}
