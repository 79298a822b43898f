package changes

import (
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

func TestFilterOfEvents(t *testing.T) {
	streams := table.Streams()
	selection := func(names ...string) (all []*selected.Stream) {
		for _, name := range names {
			all = append(all, &selected.Stream{Row: streams.Find(name)})
		}
		return all
	}
	tests := map[string]struct {
		streams []string
		want    string
	}{
		"few types":             {[]string{"coupons", "plans"}, "coupon.created coupon.deleted coupon.updated plan.created plan.deleted plan.updated"},
		"of the parent":         {[]string{"transfer_reversals"}, "transfer.created transfer.reversed transfer.updated"},
		"and of its deletion":   {[]string{"customer_tax_ids"}, "customer.deleted customer.tax_id.created customer.tax_id.deleted customer.tax_id.updated"},
		"many types":            {[]string{"invoices", "charges", "payment_intents"}, ""},
		"the events themselves": {[]string{"coupons", "events"}, ""},
		"a type not known":      {[]string{"coupons", "entitlements_active_entitlements"}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := filter(streams, selection(test.streams...))
			if joined := strings.Join(got["types[]"], " "); joined != test.want {
				t.Errorf("got %q, want %q", got.Encode(), test.want)
			}
		})
	}
}
