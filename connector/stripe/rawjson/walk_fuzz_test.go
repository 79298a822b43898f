package rawjson_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// event has the shape of an event in /v1/events (https://docs.stripe.com/api/events/object).
const event = `{"id":"evt_1","object":"event","api_version":"2023-10-16","created":1700000000,"data":{"object":{"id":"ch_1",` +
	`"object":"charge","amount":100,"billing_details":{"email":"a@example.com"},"refunds":{"data":[{"id":"re_1"}]}},` +
	`"previous_attributes":{"amount":90}},"livemode":false,"type":"charge.updated"}`

// decoded returns text in compact form and as decoded by encoding/json. It reports false if text isn't valid JSON or has
// duplicate names, of which encoding/json uses the last.
func decoded(text string) (compact string, value any, ok bool) {
	if !jsontext.Value(text).IsValid() {
		return "", nil, false
	}
	compact, err := new(rawjson.Cutter).Compact(withHeadroom(text))
	if err != nil {
		return "", nil, false
	}
	return compact, parsed(compact), true
}

// parsed returns text decoded by encoding/json, or nil if it isn't valid.
func parsed(text string) any {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return nil
	}
	return value
}

// at returns the value at a path of names.
func at(value any, path []string) (any, bool) {
	for _, name := range path {
		object, _ := value.(map[string]any)
		next, found := object[name]
		if !found {
			return nil, false
		}
		value = next
	}
	return value, true
}

// FuzzLookup compares looking up and editing members with encoding/json.
func FuzzLookup(f *testing.F) {
	f.Add(event, "data.object.id")
	f.Add(event, "data.previous_attributes.amount")
	f.Add(`{"data":{"object":null}}`, "data.object.id")
	f.Add(`{"a\"b":{"\u0063":[1,"}",{"x":"\\"}]}}`, `a"b.c`)
	f.Add(`[{"a":1}]`, "a")
	f.Add(`{"":{"":0}}`, ".")
	f.Fuzz(func(t *testing.T, text, dotted string) {
		compact, value, ok := decoded(text)
		if !ok {
			return
		}
		path := strings.Split(dotted, ".")
		want, found := at(value, path)
		raw, got := rawjson.Lookup(compact, path...)
		if got != found {
			t.Fatalf("%q of %s: found %v, want %v", path, compact, got, found)
		}
		if diff := cmp.Diff(want, parsed(raw)); found && diff != "" {
			t.Fatalf("%q of %s: %s", path, compact, diff)
		}
		if compact[0] != '{' {
			return
		}
		with := rawjson.WithMember(compact, path[0], "17")
		if member, _ := at(parsed(with), path[:1]); member != json.Number("17") && utf8.ValidString(path[0]) {
			t.Fatalf("%s with %q is %s", compact, path[0], with)
		}
		without := rawjson.Without(compact, path...)
		if _, still := at(parsed(without), path); still || parsed(without) == nil {
			t.Fatalf("%s without %q is %s", compact, path, without)
		}
	})
}

// FuzzSelect compares selections with a straightforward implementation on decoded values.
func FuzzSelect(f *testing.F) {
	f.Add(event, "id,data.object.billing_details.email")
	f.Add(event, "data.object.refunds.data.id,data.object")
	f.Add(`{"a":[{"b":1,"c":2},[{"b":3}],"x",null]}`, "a.b")
	f.Add(`{"a\u0062":{"":1}}`, "ab.")
	f.Add(`[1,{"a":{}}]`, "a.a")
	f.Fuzz(func(t *testing.T, text, paths string) {
		compact, value, ok := decoded(text)
		if !ok || !utf8.ValidString(paths) {
			return
		}
		var split [][]string
		for _, path := range strings.Split(paths, ",") {
			split = append(split, strings.Split(path, "."))
		}
		got := string(rawjson.Select(strings.Split(paths, ",")...).Append(nil, compact))
		if !jsontext.Value(got).IsValid() {
			t.Fatalf("%q of %s is %s", paths, compact, got)
		}
		if diff := cmp.Diff(selected(value, split), parsed(got)); diff != "" {
			t.Fatalf("%q of %s is %s: %s", paths, compact, got, diff)
		}
	})
}

// selected returns what paths select from a decoded value.
func selected(value any, paths [][]string) any {
	switch value := value.(type) {
	case map[string]any:
		kept := map[string]any{}
		for name, member := range value {
			var below [][]string
			whole := false
			for _, path := range paths {
				if path[0] != name {
					continue
				}
				if len(path) == 1 {
					whole = true
				} else {
					below = append(below, path[1:])
				}
			}
			switch {
			case whole:
				kept[name] = member
			case below != nil:
				kept[name] = selected(member, below)
			}
		}
		return kept
	case []any:
		kept := make([]any, len(value))
		for i, element := range value {
			kept[i] = selected(element, paths)
		}
		return kept
	}
	return value
}
