package schema_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

// node is a JSON Schema, or a component of the OpenAPI document, as decoded JSON.
type node map[string]any

// once returns a function that makes something for each edition once.
func once[T any](make func(t *testing.T, e schema.Edition) T) func(t *testing.T, e schema.Edition) T {
	made := map[string]T{}
	return func(t *testing.T, e schema.Edition) T {
		t.Helper()
		if _, known := made[e.Version]; !known {
			made[e.Version] = make(t, e)
		}
		return made[e.Version]
	}
}

// eachEdition runs a test for each edition.
func eachEdition(t *testing.T, test func(t *testing.T, e schema.Edition)) {
	t.Helper()
	for _, e := range schema.Editions() {
		t.Run(e.Version, func(t *testing.T) { test(t, e) })
	}
}

func lookup(t *testing.T, e schema.Edition, object string) node {
	t.Helper()
	s, ok := e.Lookup(object)
	if !ok {
		t.Fatalf("no schema for %q", object)
	}
	var n node
	if err := json.Unmarshal(s.JSON, &n); err != nil {
		t.Fatalf("%s: %v", object, err)
	}
	return n
}

// types returns the names of the JSON types that the node accepts.
func (n node) types() []string {
	if name, ok := n["type"].(string); ok {
		return []string{name}
	}
	return n.strings("type")
}

// strings returns the values of a keyword whose value is an array of strings.
func (n node) strings(keyword string) []string {
	values, _ := n[keyword].([]any)
	var out []string
	for _, v := range values {
		out = append(out, v.(string))
	}
	return out
}

// child returns the schema under a keyword, or nil.
func (n node) child(keyword string) node {
	child, _ := n[keyword].(map[string]any)
	return child
}

// properties returns the schemas of the node's properties.
func (n node) properties() map[string]node {
	properties := map[string]node{}
	for name, p := range n.child("properties") {
		properties[name] = p.(map[string]any)
	}
	return properties
}

// walk calls visit for a schema and all its descendants, with their paths in the notation of schema.Relation.
func walk(n node, path string, visit func(path string, n node)) {
	visit(path, n)
	for name, property := range n.properties() {
		walk(property, strings.TrimPrefix(path+"."+name, "."), visit)
	}
	if items := n.child("items"); items != nil {
		walk(items, path+"[]", visit)
	}
	if values := n.child("additionalProperties"); values != nil {
		walk(values, path+".*", visit)
	}
}
