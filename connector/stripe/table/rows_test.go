package table

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

func TestEveryRowIsWhole(t *testing.T) {
	streams := Streams()
	seen := map[string]bool{}
	for i, row := range streams {
		if seen[row.Name] {
			t.Errorf("%s is there twice", row.Name)
		}
		seen[row.Name] = true
		if i > 0 && streams[i-1].Name > row.Name {
			t.Errorf("%s is not in alphabetical order", row.Name)
		}
		if _, ok := schema.Lookup(row.Object); !ok {
			t.Errorf("%s: no schema of %q", row.Name, row.Object)
		}
		if row.Doc == "" {
			t.Errorf("%s names no documentation", row.Name)
		}
		for _, field := range append(row.PrimaryKey(), row.Cursor) {
			if problem := streams.Fields(&row).Problem(field); field != "" && problem != "" {
				t.Errorf("%s: %s", row.Name, problem)
			}
		}
		if row.Single && row.Cursor != "" || row.Inline && row.Embedded == "" || (row.Rows == nil) != (row.RowSchema == nil) {
			t.Errorf("%s is half a row", row.Name)
		}
		if row.Parent == "" {
			if n := len(streams.Objects(&row)); n != 1 {
				t.Errorf("%s shares its endpoint with %d others", row.Name, n-1)
			}
			continue
		}
		parent := streams.Find(row.Parent)
		if parent == nil {
			t.Errorf("%s: no parent %q", row.Name, row.Parent)
			continue
		}
		for _, path := range slices.Concat([]string{row.Embedded, row.Needs}, slices.Collect(maps.Values(row.ParentParams))) {
			if problem := streams.Fields(parent).Problem(path); path != "" && problem != "" {
				t.Errorf("%s: %s", row.Name, problem)
			}
		}
		if !strings.Contains(row.Path, "{parent}") && len(row.ParentParams) == 0 && !row.Inline {
			t.Errorf("%s does not name its parent in its requests", row.Name)
		}
		if row.Expand && row.Embedded == "" || (row.Across == "") != (row.AcrossField == "") {
			t.Errorf("%s is half a row", row.Name)
		}
	}
}

func TestFieldsProblem(t *testing.T) {
	tests := map[string]struct{ stream, path, problem string }{
		"plain":               {"charges", "amount", ""},
		"nested":              {"charges", "billing_details.address.city", ""},
		"metadata":            {"charges", "metadata.anything", ""},
		"expandable":          {"charges", "customer.email", ""},
		"embedded list":       {"invoices", "lines.data.amount", ""},
		"through an array":    {"invoices", "total_discount_amounts.amount", ""},
		"open object":         {"events", "data.object.id", ""},
		"misspelt":            {"charges", "amuont", `charges has no field "amuont". Did you mean "amount"?`},
		"misspelt, nested":    {"charges", "billing_details.emial", `charges.billing_details has no field "emial". Did you mean "email"?`},
		"below a plain field": {"charges", "amount.cents", `charges.amount has no fields below it`},
		"empty":               {"charges", "", `has no field ""`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			streams := Streams()
			row := streams.Find(test.stream)
			got := streams.Fields(row).Problem(test.path)
			if test.problem == "" && got != "" || !strings.Contains(got, test.problem) {
				t.Errorf("got %q, want %q", got, test.problem)
			}
		})
	}
}
