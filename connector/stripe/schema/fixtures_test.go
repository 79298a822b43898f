package schema_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/stripe-connector/stripe-connector/connector/stripe/openapi"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

// fixtures returns Stripe's example of each object type.
func fixtures(t *testing.T, e schema.Edition) map[string]map[string]any {
	t.Helper()
	var f struct {
		Resources map[string]map[string]any `json:"resources"`
	}
	for _, document := range openapi.Documents() {
		if document.Version != e.Version {
			continue
		}
		d := json.NewDecoder(bytes.NewReader(document.Fixtures))
		d.UseNumber()
		if err := d.Decode(&f); err != nil {
			t.Fatal(err)
		}
	}
	return f.Resources
}

// validators compiles every schema. The compiler checks each one against the metaschema of draft 2020-12.
var validators = once(func(t *testing.T, e schema.Edition) map[string]*jsonschema.Schema {
	t.Helper()
	all := map[string]*jsonschema.Schema{}
	for _, object := range e.Objects() {
		s, _ := e.Lookup(object)
		text, err := jsonschema.UnmarshalJSON(bytes.NewReader(s.JSON))
		if err != nil {
			t.Fatalf("%s: %v", object, err)
		}
		c := jsonschema.NewCompiler()
		if err := c.AddResource(object+".json", text); err != nil {
			t.Fatalf("%s: %v", object, err)
		}
		if all[object], err = c.Compile(object + ".json"); err != nil {
			t.Fatalf("%s: %v", object, err)
		}
	}
	return all
})

func TestFixturesAreValid(t *testing.T) {
	eachEdition(t, func(t *testing.T, e schema.Edition) { expectFixturesAreValid(t, e) })
}

func expectFixturesAreValid(t *testing.T, e schema.Edition) {
	t.Helper()
	fixtures, validators := fixtures(t, e), validators(t, e)
	checked, inside := 0, 0
	for object, fixture := range fixtures {
		validator := validators[object]
		if validator == nil {
			continue
		}
		checked++
		if err := validator.Validate(fixture); err != nil {
			t.Errorf("%s: %v", object, err)
		}
		eachEmbedded(lookup(t, e, object), fixture, func(n node, value map[string]any) {
			inside++
			inner, _ := value["object"].(string)
			if !slices.Contains(n.strings("x-object"), inner) {
				t.Errorf("%s embeds %q, want one of %q", object, inner, n.strings("x-object"))
			} else if err := validators[inner].Validate(value); err != nil {
				t.Errorf("%s embeds %q: %v", object, inner, err)
			}
		})
	}
	t.Logf("checked %d fixtures and %d objects embedded in them", checked, inside)
	if checked < 90 || inside < 10 {
		t.Errorf("checked only %d fixtures and %d embedded objects", checked, inside)
	}
}

// eachEmbedded calls visit for each object in value that has its own schema, according to x-object.
func eachEmbedded(n node, value any, visit func(node, map[string]any)) {
	switch v := value.(type) {
	case map[string]any:
		if n["x-object"] != nil {
			visit(n, v)
			return
		}
		for name, property := range n.properties() {
			eachEmbedded(property, v[name], visit)
		}
	case []any:
		for _, item := range v {
			eachEmbedded(n.child("items"), item, visit)
		}
	}
}

// TestBrokenFixturesAreInvalid breaks each property of each fixture in turn.
func TestBrokenFixturesAreInvalid(t *testing.T) {
	eachEdition(t, func(t *testing.T, e schema.Edition) { expectBrokenFixturesAreInvalid(t, e) })
}

func expectBrokenFixturesAreInvalid(t *testing.T, e schema.Edition) {
	t.Helper()
	fixtures, validators := fixtures(t, e), validators(t, e)
	for object, validator := range validators {
		fixture := fixtures[object]
		if fixture == nil {
			continue
		}
		for name, property := range lookup(t, e, object).properties() {
			broken := maps.Clone(fixture)
			broken[name] = valueOutside(property.types())
			if validator.Validate(broken) == nil {
				t.Errorf("%s with %s = %v is valid, want an error", object, name, broken[name])
			}
		}
		broken := maps.Clone(fixture)
		broken["object"] = "another"
		if validator.Validate(broken) == nil {
			t.Errorf("%s with another object type is valid, want an error", object)
		}
	}
}

// TestReducedObjectsAreValid removes everything that field selection can remove, and adds things that Stripe may add.
func TestReducedObjectsAreValid(t *testing.T) {
	eachEdition(t, func(t *testing.T, e schema.Edition) { expectReducedObjectsAreValid(t, e) })
}

func expectReducedObjectsAreValid(t *testing.T, e schema.Edition) {
	t.Helper()
	reduced := map[string]any{"id": "an_id", "a_property_of_tomorrow": true}
	for object, validator := range validators(t, e) {
		if err := validator.Validate(reduced); err != nil {
			t.Errorf("%s: %v", object, err)
		}
	}
}

// valueOutside returns a value of a type other than those given.
func valueOutside(types []string) any {
	if !slices.Contains(types, "boolean") {
		return true
	}
	return "neither true nor false"
}
