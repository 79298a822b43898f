package client

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// offered returns a catalog of streams with the same fields.
func offered(t *testing.T) []*connectorv1.Stream {
	t.Helper()
	schema, err := structpb.NewStruct(map[string]any{"type": "object", "properties": map[string]any{
		"id": map[string]any{"type": "string"}, "amount": map[string]any{"type": "integer"},
		"created": map[string]any{"type": "integer"}, "card": map[string]any{"type": "object"}}})
	if err != nil {
		t.Fatal(err)
	}
	var all []*connectorv1.Stream
	for _, name := range []string{"charges", "events", "invoice_items", "invoice_line_items", "invoices", "payouts"} {
		all = append(all, &connectorv1.Stream{
			Name: name, PrimaryKey: []string{"id"}, CursorField: "created", JsonSchema: schema})
	}
	return all
}

func TestSelection(t *testing.T) {
	tests := map[string]struct {
		selection Selection
		want      []string
	}{
		"all":              {Selection{}, []string{"charges", "events", "invoice_items", "invoice_line_items", "invoices", "payouts"}},
		"names":            {Selection{Select: []string{"payouts", "charges"}}, []string{"payouts", "charges"}},
		"patterns":         {Selection{Select: []string{"invoices", "invoice_*"}}, []string{"invoices", "invoice_items", "invoice_line_items"}},
		"overlap":          {Selection{Select: []string{"invoice*", "invoices"}}, []string{"invoice_items", "invoice_line_items", "invoices"}},
		"exclude":          {Selection{Exclude: []string{"events", "invoice*"}}, []string{"charges", "payouts"}},
		"select, exclude":  {Selection{Select: []string{"invoice*"}, Exclude: []string{"*_line_*"}}, []string{"invoice_items", "invoices"}},
		"one of some":      {Selection{Select: []string{"[cp]*"}}, []string{"charges", "payouts"}},
		"excluded, absent": {Selection{Select: []string{"charges"}, Exclude: []string{"events"}}, []string{"charges"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			all, err := test.selection.apply(offered(t))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range configure(all) {
				got = append(got, s.GetStream())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSelectionOfFields(t *testing.T) {
	catalog := offered(t)
	fields, err := ParseFields([]string{"invoice*=card.brand", "invoices=amount, card.brand"})
	if err != nil {
		t.Fatal(err)
	}
	all, err := Selection{Select: []string{"charges", "invoices"}, Fields: fields}.apply(catalog)
	if err != nil {
		t.Fatal(err)
	}
	if got := configure(all); len(got[0].GetFields()) != 0 || !cmp.Equal(got[1].GetFields(), []string{"amount", "card.brand"}) {
		t.Errorf("got fields %v and %v", got[0].GetFields(), got[1].GetFields())
	}
	for i, want := range []int{4, 4} { // id, created, amount and card: charges has all fields, invoices the selected ones and the keys
		if got := propertiesOf(all[i].stream.GetJsonSchema()); len(got) != want {
			t.Errorf("%s has the properties %v", all[i].stream.GetName(), got)
		}
	}
	narrow, err := Selection{Fields: map[string][]string{"charges": {"amount"}}}.apply(catalog)
	if err != nil {
		t.Fatal(err)
	}
	if got := propertiesOf(narrow[0].stream.GetJsonSchema()); len(got) != 3 || got["card"] != nil {
		t.Errorf("charges has the properties %v, want amount, id and created", got)
	}
	if got := propertiesOf(catalog[0].GetJsonSchema()); len(got) != 4 {
		t.Error("the catalog was changed")
	}
}

func TestSelectionRefuses(t *testing.T) {
	tests := map[string]struct {
		selection Selection
		want      string
	}{
		"unknown":           {Selection{Select: []string{"charges", "chargse"}}, `streams[1]: There is no stream "chargse". Did you mean "charges"? Discover lists all 6.`},
		"matches nothing":   {Selection{Select: []string{"tax*"}}, `streams[0]: No stream matches "tax*".`},
		"no pattern":        {Selection{Select: []string{"[a"}}, `"[a" is not a valid pattern`},
		"unknown exclusion": {Selection{Exclude: []string{"event"}}, `exclude[0]: There is no stream "event". Did you mean "events"?`},
		"nothing left":      {Selection{Exclude: []string{"*"}}, "leaves no stream to read"},
		"fields of none":    {Selection{Fields: map[string][]string{"x*": {"id"}}}, `fields["x*"]: No stream matches`},
		"unknown field":     {Selection{Fields: map[string][]string{"charges": {"amuont"}}}, `Stream charges has no field "amuont". Did you mean "amount"?`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := test.selection.apply(offered(t))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want something with %q", err, test.want)
			}
		})
	}
	for _, wrong := range []string{"charges", "=id", "charges="} {
		if _, err := ParseFields([]string{wrong}); err == nil {
			t.Errorf("ParseFields took %q", wrong)
		}
	}
}

// TestAllFieldsAndMore selects all fields in addition to one that must be named, and a field of objects in an array.
func TestAllFieldsAndMore(t *testing.T) {
	tests := map[string]struct{ fields, want []string }{
		"all and more":     {[]string{"*", "card.brand"}, []string{"amount", "card", "created", "id"}},
		"through an array": {[]string{"card[].brand"}, []string{"card", "created", "id"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			all, err := Selection{Select: []string{"charges"}, Fields: map[string][]string{"charges": test.fields}}.apply(offered(t))
			if err != nil {
				t.Fatal(err)
			}
			got := slices.Sorted(maps.Keys(propertiesOf(all[0].stream.GetJsonSchema())))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("columns (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.fields, all[0].fields); diff != "" {
				t.Errorf("asked for (-want +got):\n%s", diff)
			}
		})
	}
}
