package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// testComponents are the components that the test cases refer to.
const testComponents = `{
	"customer": {"type": "object", "properties": {"object": {"type": "string", "enum": ["customer"]}}},
	"deleted_customer": {"type": "object", "properties": {"object": {"type": "string", "enum": ["customer"]}}},
	"card": {"type": "object", "properties": {"object": {"type": "string", "enum": ["card"]}}},
	"payment_source": {"anyOf": [{"$ref": "#/components/schemas/card"}, {"$ref": "#/components/schemas/customer"}]},
	"rule": {"type": "object"},
	"a": {"type": "object", "required": ["x", "y"], "properties": {
		"x": {"type": "string", "enum": ["1"]}, "y": {"type": "integer"}}},
	"b": {"type": "object", "required": ["x"], "properties": {
		"x": {"type": "string", "enum": ["1", "2"], "nullable": true}, "z": {"type": "boolean"}}},
	"c": {"type": "object", "properties": {"x": {"type": "array", "items": {"type": "string"}}}},
	"loop": {"type": "object", "properties": {"again": {"$ref": "#/components/schemas/loop"}}}
}`

func TestConvert(t *testing.T) {
	for name, c := range map[string]struct{ component, want string }{
		"scalar":      {`{"type": "boolean", "description": "Text."}`, `{"type":"boolean"}`},
		"nullable":    {`{"type": "string", "nullable": true}`, `{"type":["string","null"]}`},
		"time":        {`{"type": "integer", "format": "unix-time"}`, `{"type":"integer","format":"unix-time"}`},
		"known":       {`{"type": "string", "enum": ["", "a", "b"]}`, `{"type":"string","examples":["a","b"]}`},
		"array":       {`{"type": "array", "items": {"type": "string"}}`, `{"type":"array","items":{"type":"string"}}`},
		"map":         {`{"type": "object", "additionalProperties": {"type": "integer"}}`, `{"type":"object","additionalProperties":{"type":"integer"}}`},
		"listed":      {`{"$ref": "#/components/schemas/customer"}`, `{"type":"object","x-object":["customer"]}`},
		"wrapped":     {`{"anyOf": [{"$ref": "#/components/schemas/customer"}], "nullable": true}`, `{"type":["object","null"],"x-object":["customer"]}`},
		"union":       {`{"$ref": "#/components/schemas/payment_source"}`, `{"type":"object","x-object":["card","customer"]}`},
		"expandable":  {`{"x-expansionResources": {"oneOf": [{"$ref": "#/components/schemas/customer"}, {"$ref": "#/components/schemas/deleted_customer"}]}}`, `{"type":["string","object"],"x-expandable":["customer"]}`},
		"any source":  {`{"x-expansionResources": {"oneOf": [{"$ref": "#/components/schemas/payment_source"}]}, "nullable": true}`, `{"type":["string","object","null"],"x-expandable":["card","customer"]}`},
		"no object":   {`{"x-expansionResources": {"oneOf": [{"$ref": "#/components/schemas/rule"}]}}`, `{"type":["string","object"],"x-expandable":["rule"]}`},
		"inlined":     {`{"$ref": "#/components/schemas/c"}`, `{"type":"object","properties":{"x":{"type":"array","x-optional":true,"items":{"type":"string"}}}}`},
		"merged":      {`{"anyOf": [{"$ref": "#/components/schemas/a"}, {"$ref": "#/components/schemas/b"}]}`, `{"type":"object","properties":{"x":{"type":["string","null"],"examples":["1","2"]},"y":{"type":"integer","x-optional":true},"z":{"type":"boolean","x-optional":true}}}`},
		"list":        {`{"type": "object", "properties": {"l": {"type": "object", "nullable": true, "properties": {"object": {"type": "string", "enum": ["list"]}}}}}`, `{"type":"object","properties":{"l":{"type":["object","null"],"x-optional":true,"properties":{"object":{"type":"string","const":"list","x-optional":true}}}}}`},
		"instant":     {`{"type": "object", "required": ["created"], "properties": {"created": {"type": "integer"}}}`, `{"type":"object","properties":{"created":{"type":"integer","format":"unix-time"}}}`},
		"contradict":  {`{"anyOf": [{"$ref": "#/components/schemas/a"}, {"$ref": "#/components/schemas/c"}]}`, `error: x: union of`},
		"mixed":       {`{"anyOf": [{"$ref": "#/components/schemas/a"}, {"$ref": "#/components/schemas/card"}]}`, `error: union of objects with and without`},
		"scalars":     {`{"anyOf": [{"type": "string", "nullable": true}, {"type": "integer", "format": "unix-time"}]}`, `{"type":["string","integer","null"]}`},
		"strings":     {`{"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "string", "enum": ["b"]}]}`, `{"type":"string","examples":["a","b"]}`},
		"of arrays":   {`{"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}`, `error: union of something else`},
		"recursion":   {`{"$ref": "#/components/schemas/loop"}`, `error: again: recursion: loop, loop`},
		"unknown ref": {`{"$ref": "#/components/schemas/nothing"}`, `error: unknown $ref`},
		"no type":     {`{}`, `error: component without a type`},
	} {
		t.Run(name, func(t *testing.T) {
			got := convertText(t, c.component)
			if strings.HasPrefix(c.want, "error: ") && strings.HasPrefix(got, c.want) {
				return
			}
			if got != c.want {
				t.Errorf("converted to\n%s, want\n%s", got, c.want)
			}
		})
	}
}

// convertText returns the minified schema of a component, or its error.
func convertText(t *testing.T, text string) string {
	t.Helper()
	in := &inputs{listed: map[string]bool{"customer": true, "card": true}}
	var source component
	for text, into := range map[string]any{testComponents: &in.components, text: &source} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	n, err := (&converter{inputs: in, used: map[string]bool{}}).convert(&source)
	if err != nil {
		return "error: " + err.Error()
	}
	return strings.NewReplacer("\n", "", "\t", "").Replace(render(t, n))
}

func render(t *testing.T, n *node) string {
	t.Helper()
	b, err := text(n)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestExamplesAreBounded(t *testing.T) {
	source := &component{Type: "string"}
	for i := range 100 {
		source.Enum = append(source.Enum, string(rune('A'+i)))
	}
	if got := len(scalar(source).Examples); got != maxExamples {
		t.Errorf("%d examples, want %d", got, maxExamples)
	}
}
