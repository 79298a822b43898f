package changes

import (
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
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

func TestSeenIsBounded(t *testing.T) {
	c := &state.Changes{From: 1000, Until: 1000}
	seen := recall(c)
	for i := range 3 * state.MaxSeen {
		e := Event{hash: hashID(string(rune(i)))}
		e.Created = int64(1000 + i/2)
		if seen.applied(&e, c.From, 0) {
			t.Fatalf("event %d is new", i)
		}
		if !seen.applied(&e, c.From, 0) {
			t.Fatalf("event %d was applied", i)
		}
	}
	seen.advance(c, 4000, 100_000)
	if n := len(c.Seen); n > state.MaxSeen || n < state.MaxSeen-2 {
		t.Errorf("%d are remembered", n)
	}
	for i := range 3 * state.MaxSeen {
		e := Event{hash: hashID(string(rune(i)))}
		e.Created = int64(1000 + i/2)
		if !seen.applied(&e, c.From, 0) {
			t.Errorf("event %d is taken for new: it is neither remembered nor before %d", i, c.From)
		}
	}
	seen.advance(c, 5000, 10)
	if len(c.Seen) != 0 || c.From != 4990 {
		t.Errorf("what lies before the overlap is not forgotten: %+v", c)
	}
}
