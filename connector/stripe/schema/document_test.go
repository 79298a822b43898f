package schema_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector/stripe/openapi"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

// document is Stripe's OpenAPI document plus the supplement, read without using the generator's code.
type document struct {
	Components struct {
		Schemas map[string]node `json:"schemas"`
	} `json:"components"`
	Paths map[string]node `json:"paths"`
}

var openDocument = once(func(t *testing.T, e schema.Edition) *document {
	t.Helper()
	supplement, err := os.ReadFile("internal/generate/supplement.json")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(openapi.Documents(), func(d openapi.Document) bool { return d.Version == e.Version })
	if i < 0 {
		t.Fatalf("there is no document of %s", e.Version)
	}
	var d document
	for _, text := range [][]byte{supplement, openapi.Documents()[i].Spec} {
		// The second call adds to the maps filled by the first, and replaces what both have.
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatal(err)
		}
	}
	return &d
})

// secret reports whether a property is in no schema because it holds a secret.
func secret(path, name string) bool {
	return name == "client_secret" || path == "apps.secret" && name == "payload" || path == "invoice" && name == "confirmation_secret"
}

// alternatives resolves a component's references and unions to the components it can stand for.
func (d *document) alternatives(t *testing.T, n node) []node {
	t.Helper()
	if ref, ok := n["$ref"].(string); ok {
		target := d.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")]
		if target == nil {
			t.Fatalf("the document has no %s", ref)
		}
		return d.alternatives(t, target)
	}
	union, ok := n["anyOf"].([]any)
	if !ok {
		return []node{n}
	}
	var all []node
	for _, a := range union {
		all = append(all, d.alternatives(t, a.(map[string]any))...)
	}
	return all
}

// compare reports the types and properties that only one of schema and document has.
func (d *document) compare(t *testing.T, path string, n node, components []node) {
	t.Helper()
	if diff := cmp.Diff(typesOf(components), typesOf([]node{n})); diff != "" {
		t.Errorf("%s has other types than in the document (-document +schema):\n%s", path, diff)
	}
	if n["x-object"] != nil || n["x-expandable"] != nil {
		return // The properties are in another schema.
	}
	want := map[string][]node{}
	var items, values []node
	for _, c := range components {
		for name, p := range c.properties() {
			if secret(path, name) {
				continue
			}
			want[name] = append(want[name], d.alternatives(t, p)...)
		}
		if c.child("items") != nil {
			items = append(items, d.alternatives(t, c.child("items"))...)
		}
		if c.child("additionalProperties") != nil {
			values = append(values, d.alternatives(t, c.child("additionalProperties"))...)
		}
	}
	got := n.properties()
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("%s has other properties than the document (-document +schema):\n%s", path, diff)
	}
	for name, p := range got {
		d.compare(t, path+"."+name, p, want[name])
	}
	if n.child("items") != nil {
		d.compare(t, path+"[]", n.child("items"), items)
	}
	if n.child("additionalProperties") != nil {
		d.compare(t, path+".*", n.child("additionalProperties"), values)
	}
}

// typesOf returns the JSON types that the schemas accept other than null, sorted.
func typesOf(schemas []node) []string {
	var types []string
	for _, s := range schemas {
		types = append(types, s.types()...)
	}
	types = slices.DeleteFunc(types, func(name string) bool { return name == "null" })
	slices.Sort(types)
	return slices.Compact(types)
}

func TestPropertiesAreThoseOfTheDocument(t *testing.T) {
	eachEdition(t, func(t *testing.T, e schema.Edition) {
		d := openDocument(t, e)
		for _, object := range e.Objects() {
			component := d.Components.Schemas[object]
			if component == nil {
				t.Errorf("the document has no %q", object)
				continue
			}
			d.compare(t, object, lookup(t, e, object), []node{component})
		}
	})
}

// TestObjectsCoverEveryListEndpoint takes the object types from the documents' endpoints.
func TestObjectsCoverEveryListEndpoint(t *testing.T) {
	eachEdition(t, func(t *testing.T, e schema.Edition) {
		d := openDocument(t, e)
		endpoints := 0
		for path, methods := range d.Paths {
			response := methods
			for _, key := range []string{"get", "responses", "200", "content", "application/json", "schema"} {
				response = response.child(key)
			}
			if response == nil {
				continue
			}
			data := d.alternatives(t, response)[0].properties()["data"]
			if data.child("items") == nil {
				continue
			}
			endpoints++
			for _, item := range d.alternatives(t, data.child("items")) {
				object, _ := item["x-resourceId"].(string)
				if _, ok := e.Lookup(object); !ok {
					t.Errorf("%s lists objects of type %q, which have no schema", path, object)
				}
			}
		}
		if endpoints < 100 {
			t.Errorf("found only %d list endpoints", endpoints)
		}
	})
}

// TestObjectsOfTheSupplement names the object types that stripe-go v76.25.0 lists and the document lacks.
func TestObjectsOfTheSupplement(t *testing.T) {
	for _, object := range []string{
		"billing.meter", "billing.meter_event_summary", "entitlements.active_entitlement", "entitlements.feature",
		"forwarding.request",
	} {
		if _, ok := schema.Oldest().Lookup(object); !ok {
			t.Errorf("no schema of %q", object)
		}
	}
}
