package table

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

// TestHeld lists the columns whose objects change without an event about the object that has the column.
func TestHeld(t *testing.T) {
	want := []string{
		"charges: refunds by charge",
		"customers: bank_accounts by customer", "customers: cards by customer", "customers: customer_cash_balances by customer",
		"customers: customer_tax_ids by customer", "customers: sources by customer", "customers: subscriptions by customer",
		"customers: tax_ids by customer",
		"invoices: invoice_payments by invoice",
	}
	var got []string
	for _, edition := range schema.Editions() {
		streams := Streams(edition)
		for i := range streams {
			s := &streams[i]
			for _, held := range streams.Held(s, streams.Fields(s).Includable()) {
				got = append(got, s.Name+": "+held.Name+" by "+held.Ref)
				if s.Parent != "" {
					t.Errorf("%s has a parent: sweeps re-read only objects of top-level lists for their columns", s.Name)
				}
				if held.Parent == "" && !slices.Contains(streams.Fields(held.Stream).Always(), held.Ref) {
					t.Errorf("%s don't name the %s that shows them", held.Name, held.Ref)
				}
			}
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
		t.Error(diff)
	}
}
