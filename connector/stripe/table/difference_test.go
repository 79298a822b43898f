package table

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

func TestCompare(t *testing.T) {
	from, _ := schema.Of("2023-10-16")
	to, _ := schema.Of("2026-08-26.dahlia")
	d := Compare("charges", from, to)
	if !slices.Contains(d.Gone, "invoice") || slices.Contains(d.New, "invoice") {
		t.Errorf("got %+v, want invoice to be gone", d)
	}
	back := Compare("charges", to, from)
	if diff := cmp.Diff(Difference{Gone: d.New, New: d.Gone, Changed: d.Changed}, back); diff != "" {
		t.Error(diff)
	}
	if got := Compare("charges", from, from); !got.IsEmpty() {
		t.Errorf("got %+v for one version", got)
	}
	if got := Compare("invoice_payments", from, to); !got.IsEmpty() {
		t.Errorf("got %+v for a stream that one version lacks", got)
	}
}

func TestCompareProperties(t *testing.T) {
	text := types{"string"}
	before := property{Properties: map[string]property{
		"same": {Type: text}, "gone": {Type: text}, "null": {Type: types{"string", "null"}}, "typed": {Type: text},
		"list": {Type: types{"array"}, Items: &property{Type: types{"object"}, Properties: map[string]property{"gone": {Type: text}, "same": {Type: text}}}},
	}}
	after := property{Properties: map[string]property{
		"same": {Type: text}, "new": {Type: types{"object"}, Properties: map[string]property{"below": {Type: text}}}, "null": {Type: text},
		"typed": {Type: types{"integer"}},
		"list":  {Type: types{"array"}, Items: &property{Type: types{"object"}, Properties: map[string]property{"same": {Type: text}}}},
	}}
	var got Difference
	got.compare("", before, after)
	want := Difference{Gone: []string{"gone", "list[].gone"}, New: []string{"new"}, Changed: []string{"typed"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
