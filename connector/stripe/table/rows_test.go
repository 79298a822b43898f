package table

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

func TestEveryRowIsComplete(t *testing.T) {
	for _, e := range schema.Editions() {
		t.Run(e.Version, func(t *testing.T) { expectComplete(t, e, Streams(e)) })
	}
}

func expectComplete(t *testing.T, e schema.Edition, streams Table) {
	t.Helper()
	seen := map[string]bool{}
	for i, row := range streams {
		if seen[row.Name] {
			t.Errorf("%s occurs twice", row.Name)
		}
		seen[row.Name] = true
		if i > 0 && streams[i-1].Name > row.Name {
			t.Errorf("%s is not in alphabetical order", row.Name)
		}
		if _, ok := e.Lookup(row.Object); !ok {
			t.Errorf("%s: no schema for %q", row.Name, row.Object)
		}
		if row.Doc == "" {
			t.Errorf("%s has no documentation link", row.Name)
		}
		for _, field := range append(row.PrimaryKey(), row.Cursor) {
			if problem := streams.Fields(&row).Problem(field); field != "" && problem != "" {
				t.Errorf("%s: %s", row.Name, problem)
			}
		}
		if row.Single && row.Cursor != "" || row.Inline && row.Embedded == "" || (row.Rows == nil) != (row.RowSchema == nil) {
			t.Errorf("%s is incomplete", row.Name)
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
			t.Errorf("%s doesn't name its parent in its requests", row.Name)
		}
		if row.Expand && row.Embedded == "" || (row.Across == "") != (row.AcrossField == "") {
			t.Errorf("%s is incomplete", row.Name)
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
			streams := Streams(schema.Oldest())
			row := streams.Find(test.stream)
			got := streams.Fields(row).Problem(test.path)
			if test.problem == "" && got != "" || !strings.Contains(got, test.problem) {
				t.Errorf("got %q, want %q", got, test.problem)
			}
		})
	}
}

func TestColumns(t *testing.T) {
	tests := map[string]struct {
		stream, path string
		expand       string // what Stripe must expand
		problem      string
	}{
		"shown anyway":               {"charges", "billing_details.email", "", ""},
		"of an expanded object":      {"charges", "latest_charge.outcome.type", "", "charges has no field"},
		"of another object":          {"payment_intents", "latest_charge.outcome.type", "latest_charge", ""},
		"through two objects":        {"payment_intents", "latest_charge.balance_transaction.fee", "latest_charge.balance_transaction", ""},
		"misspelt there":             {"payment_intents", "latest_charge.outcom.type", "", `Did you mean "outcome"`},
		"of objects in an array":     {"invoices", "discounts[].coupon.name", "discounts", ""},
		"only if expanded":           {"prices", "tiers", "tiers", ""},
		"below that":                 {"prices", "tiers.up_to", "tiers", ""},
		"of an embedded object":      {"subscription_items", "price.tiers", "price.tiers", ""},
		"of an expanded one, deeper": {"prices", "product.default_price.tiers", "product.default_price.tiers", ""},
		"too deep":                   {"invoices", "lines.data.price.product.name", "", "leads through too many objects"},
		"inline, too deep":           {"invoice_discounts", "promotion_code.customer.test_clock.name", "", "leads through too many objects"},
		"personal data":              {"identity_verification_reports", "document.number", "document.number", ""},
		"not with what is above":     {"identity_verification_reports", "document", "", ""},
		"a secret":                   {"apps_secrets", "payload", "", `has no field "payload"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			streams := Streams(schema.Oldest())
			column, problem := streams.Fields(streams.Find(test.stream)).Column(test.path)
			if test.problem != "" || problem != "" {
				if test.problem == "" || !strings.Contains(problem, test.problem) {
					t.Errorf("got the problem %q, want %q", problem, test.problem)
				}
				return
			}
			got := ""
			if len(column.Expansion.Steps) > 0 {
				got = column.Expansion.Path()
			}
			if got != test.expand {
				t.Errorf("asks for %q, want %q", got, test.expand)
			}
		})
	}
}

// TestNoSecretIsIncludable checks that no includable field looks like a secret.
func TestNoSecretIsIncludable(t *testing.T) {
	for _, row := range Known() {
		offered := columns(Known().Fields(&row).root, "")
		for _, word := range []string{"secret", "payload", "cvc", "`number`"} {
			if strings.Contains(offered, word) {
				t.Errorf("%s offers %s", row.Name, offered)
			}
		}
		if strings.HasPrefix(row.Name, "identity_") && (strings.Contains(offered, "by default") || strings.Contains(offered, "on request")) {
			t.Errorf("%s offers personal data otherwise than by name: %s", row.Name, offered)
		}
	}
}

// TestNoSecretIsInASchema checks that no schema has a property that holds a secret.
func TestNoSecretIsInASchema(t *testing.T) {
	for _, e := range schema.Editions() {
		for _, object := range e.Objects() {
			s, _ := e.Lookup(object)
			for _, name := range []string{"client_secret", "confirmation_secret"} {
				if strings.Contains(string(s.JSON), `"`+name+`"`) {
					t.Errorf("%s: %s has a %s", e.Version, object, name)
				}
			}
		}
	}
}
