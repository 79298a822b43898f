package rawjson

import "testing"

func TestCollapse(t *testing.T) {
	tests := map[string]struct {
		object string
		path   []string
		want   string
	}{
		"an expanded object": {`{"a":1,"customer":{"id":"cus_1","email":"x"},"b":2}`, []string{"customer"}, `{"a":1,"customer":"cus_1","b":2}`},
		"an id":              {`{"customer":"cus_1"}`, []string{"customer"}, `{"customer":"cus_1"}`},
		"null":               {`{"customer":null}`, []string{"customer"}, `{"customer":null}`},
		"absent":             {`{"a":1}`, []string{"customer"}, `{"a":1}`},
		"an array":           {`{"discounts":[{"id":"di_1"},"di_2"]}`, []string{"discounts"}, `{"discounts":["di_1","di_2"]}`},
		"an empty array":     {`{"discounts":[]}`, []string{"discounts"}, `{"discounts":[]}`},
		"in a list":          {`{"lines":{"data":[{"price":{"id":"p"}},{"price":null}]}}`, []string{"lines", "data", "price"}, `{"lines":{"data":[{"price":"p"},{"price":null}]}}`},
		"without an id":      {`{"tax":{"ip":null}}`, []string{"tax"}, `{"tax":{"ip":null}}`},
		"not an object":      {`"x"`, []string{"a"}, `"x"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Collapse(test.object, test.path...); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestRemove(t *testing.T) {
	tests := map[string]struct {
		object string
		path   []string
		want   string
	}{
		"a member":           {`{"a":1,"tiers":[{"id":"x"}]}`, []string{"tiers"}, `{"a":1}`},
		"of members of list": {`{"items":{"data":[{"price":{"id":"p","tiers":[]}}]}}`, []string{"items", "data", "price", "tiers"}, `{"items":{"data":[{"price":{"id":"p"}}]}}`},
		"absent":             {`{"a":1}`, []string{"tiers"}, `{"a":1}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Remove(test.object, test.path...); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
