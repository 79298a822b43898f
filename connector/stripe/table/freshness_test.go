package table

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

func TestFreshness(t *testing.T) {
	streams := Streams(schema.Oldest())
	for name, want := range map[string]connector.Freshness{
		"charges":                       connector.ByEvents,
		"events":                        connector.ByEvents,
		"invoice_line_items":            connector.ByEvents, // by the events of their invoice
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
		if got := streams.Freshness(streams.Find(name)); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// TestSweptStreamsCanBeReread checks that the object of every event, or its children, can be requested.
func TestSweptStreamsCanBeReread(t *testing.T) {
	eachDocument(t, func(t *testing.T, streams Table, d document) {
		known := map[string]bool{}
		for path, operations := range d.Paths {
			known[pathParameter.ReplaceAllString(path, "{}")] = operations.Get.Responses != nil
		}
		for i := range streams {
			row := &streams[i]
			if !streams.Swept(row) || row.AppendOnly() {
				continue
			}
			if row.Parent != "" {
				if row.ParentRef() == "" {
					t.Errorf("%s: no field names the parent", row.Name)
				}
				continue
			}
			if path := pathParameter.ReplaceAllString(row.Path, "{}") + "/{}"; !known[path] && len(row.Events) > 0 {
				t.Errorf("%s: there is no %s", row.Name, path)
			}
		}
	})
}

func TestEventTypesAreTheDocuments(t *testing.T) {
	eachDocument(t, func(t *testing.T, _ Table, d document) {
		want := d.events(t)
		slices.Sort(want)
		if diff := cmp.Diff(want, EventTypes(d.edition)); diff != "" {
			t.Error(diff)
		}
	})
}
