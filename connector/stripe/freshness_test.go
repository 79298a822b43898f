package stripe

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
)

func TestFreshness(t *testing.T) {
	streams := testSource().streams
	for name, want := range map[string]connector.Freshness{
		"charges":                       connector.ByEvents,
		"events":                        connector.ByEvents,
		"invoice_line_items":            connector.ByEvents, // its invoice's
		"refunds":                       connector.ByEvents,
		"checkout_sessions":             connector.ByTrailing,
		"checkout_session_line_items":   connector.ByTrailing,
		"balance_transactions":          connector.ByTrailing,
		"radar_value_list_items":        connector.ByFull,
		"accounts":                      connector.ByFull,
		"persons":                       connector.ByFull,
		"usage_record_summaries":        connector.ByFull,
		"webhook_endpoints":             connector.ByFull,
		"customer_balance_transactions": connector.ByEvents,
	} {
		if got := streams.freshness(streams.find(name)); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// TestSweptStreamsCanBeReadAgain holds that the object, or the children, of every event can be asked for.
func TestSweptStreamsCanBeReadAgain(t *testing.T) {
	source, d := testSource(), openAPI(t)
	known := map[string]bool{}
	for path, operations := range d.Paths {
		known[pathParameter.ReplaceAllString(path, "{}")] = operations.Get.Responses != nil
	}
	for i := range source.streams {
		row := &source.streams[i]
		if !source.streams.swept(row) || row.appendOnly() {
			continue
		}
		if row.Parent != "" {
			if row.parentKey() == "" {
				t.Errorf("%s: nothing tells whose children they are", row.Name)
			}
			continue
		}
		if path := pathParameter.ReplaceAllString(row.Path, "{}") + "/{}"; !known[path] && len(row.Events) > 0 {
			t.Errorf("%s: there is no %s", row.Name, path)
		}
	}
}

func TestEventTypesAreTheDocuments(t *testing.T) {
	want := documentedEvents(t)
	slices.Sort(want)
	if diff := cmp.Diff(want, eventTypes()); diff != "" {
		t.Error(diff)
	}
}

func TestFilterOfEvents(t *testing.T) {
	streams := testSource().streams
	outputs := func(names ...string) (outputs []*output) {
		for _, name := range names {
			outputs = append(outputs, &output{stream: streams.find(name)})
		}
		return outputs
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
			got := streams.filter(outputs(test.streams...))
			if joined := strings.Join(got["types[]"], " "); joined != test.want {
				t.Errorf("got %q, want %q", got.Encode(), test.want)
			}
		})
	}
}

func TestSeenIsBounded(t *testing.T) {
	out := &output{changes: &changes{From: 1000, Until: 1000}}
	out.recall()
	for i := range 3 * mostSeen {
		e := event{hash: hashID(string(rune(i)))}
		e.Created = int64(1000 + i/2)
		if out.applied(&e, 0) {
			t.Fatalf("event %d is new", i)
		}
		if !out.applied(&e, 0) {
			t.Fatalf("event %d was applied", i)
		}
	}
	out.advance(4000, 100_000)
	if n := len(out.changes.Seen); n > mostSeen || n < mostSeen-2 {
		t.Errorf("%d are remembered", n)
	}
	for i := range 3 * mostSeen {
		e := event{hash: hashID(string(rune(i)))}
		e.Created = int64(1000 + i/2)
		if !out.applied(&e, 0) {
			t.Errorf("event %d is taken for new: it is neither remembered nor before %d", i, out.changes.From)
		}
	}
	out.advance(5000, 10)
	if len(out.changes.Seen) != 0 || out.changes.From != 4990 {
		t.Errorf("what lies before the overlap is not forgotten: %+v", out.changes)
	}
}
