package rawjson_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

func TestWithoutAll(t *testing.T) {
	for value, want := range map[string]string{
		`{"id":1}`:                   `{"id":1}`,
		`{"s":1}`:                    `{}`,
		`{"s":"x","id":1}`:           `{"id":1}`,
		`{"id":1,"s":{"s":[1,"}"]}}`: `{"id":1}`,
		`{"a":1,"s":2,"b":3}`:        `{"a":1,"b":3}`,
		`{"a":{"s":null},"b":[{"s":1,"c":2},{"s":1}]}`: `{"a":{},"b":[{"c":2},{}]}`,
		`{"s":1,"s":2,"a":3,"s":4,"s":5}`:              `{"a":3}`,
		`{"a":"s","b":"\"s\":1"}`:                      `{"a":"s","b":"\"s\":1"}`,
		`{"x\"s":1,"s":2}`:                             `{"x\"s":1}`,
		`[1,2]`:                                        `[1,2]`,
	} {
		if got := rawjson.WithoutAll(value, "s"); got != want {
			t.Errorf("%s: got %s, want %s", value, got, want)
		}
	}
}

// TestWithoutAllOfAnything compares the result with that of a decoded value.
func TestWithoutAllOfAnything(t *testing.T) {
	scalar := rapid.SampledFrom([]any{nil, true, 12.5, "s", `"s":1`, `,"s":`, `\`, "}", "é"})
	value := rapid.Deferred(func() *rapid.Generator[any] { return anything(scalar, 3) })
	rapid.Check(t, func(r *rapid.T) {
		v := value.Draw(r, "value")
		text, err := json.Marshal(v)
		if err != nil {
			r.Fatal(err)
		}
		var got any
		if err := json.Unmarshal([]byte(rawjson.WithoutAll(string(text), "s")), &got); err != nil {
			r.Fatalf("%s: %v", text, err)
		}
		if diff := cmp.Diff(without(v), got); diff != "" {
			r.Fatalf("%s: %s", text, diff)
		}
	})
}

// anything generates a JSON value of some depth.
func anything(scalar *rapid.Generator[any], depth int) *rapid.Generator[any] {
	if depth == 0 {
		return scalar
	}
	below := anything(scalar, depth-1)
	name := rapid.SampledFrom([]string{"s", "a", `x"s`, `s"`, "ss", `"s":`})
	object := rapid.Map(rapid.MapOfN(name, below, 0, 4), func(m map[string]any) any { return m })
	array := rapid.Map(rapid.SliceOfN(below, 0, 3), func(a []any) any { return a })
	return rapid.OneOf(object, array, scalar)
}

func without(v any) any {
	switch v := v.(type) {
	case map[string]any:
		kept := map[string]any{}
		for name, value := range v {
			if name != "s" {
				kept[name] = without(value)
			}
		}
		return kept
	case []any:
		kept := []any{}
		for _, value := range v {
			kept = append(kept, without(value))
		}
		return kept
	}
	return v
}
