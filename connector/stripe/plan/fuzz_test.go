package plan

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/config"
	"github.com/stripe-connector/stripe-connector/connector/stripe/internal/refusal"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// FuzzCatalog checks that configured streams with fields and states are either rejected, naming the invalid fields, or
// planned: each stream once, with its key among the selected fields.
func FuzzCatalog(f *testing.F) {
	const state = `{"version":1,"mode":"test","generation":1,"from":"2023-06-15T00:00:00Z","to":"2024-06-15T12:00:00Z","pass":{"id":"A","sequence":0,"streams":1},"windows":[]}`
	f.Add("charges", "id,billing_details.email", "invoice_line_items", "amount", state)
	f.Add("charges", "", "charges", "", "")
	f.Add("chargs", "..", "", "id.", `{"version":3}`)
	f.Add("subscriptions", "metadata.any thing", "subscription_items", "price.currency_options.eur.unit_amount", "{}")
	c := config.Config{APIKey: connector.NewSecret("rk_test_1"), APIVersion: config.DefaultVersion, Start: testNow.AddDate(-1, 0, 0)}
	f.Fuzz(func(t *testing.T, first, firstFields, second, secondFields, state string) {
		request := connector.ReadRequest{Streams: []connector.ConfiguredStream{
			{Stream: first, Fields: split(firstFields)}, {Stream: second, Fields: split(secondFields)},
		}}
		if state != "" {
			request.States = []connector.StreamState{{Stream: second, State: json.RawMessage(state)}}
		}
		planned, err := Make(table.Streams(schema.Oldest()), c, request, testNow)
		if refusal.Is(t, err, "streams", "states") {
			return
		}
		parts, selected := planned.Parts, planned.Streams
		if first == second || len(selected) != 2 || len(parts) == 0 || len(parts) > 2 {
			t.Fatalf("%q and %q: %d streams in %d parts", first, second, len(selected), len(parts))
		}
		for i, s := range selected {
			if s.Row.Name != request.Streams[i].Stream {
				t.Fatalf("stream %d is %q", i, s.Row.Name)
			}
			for _, key := range s.Row.PrimaryKey() {
				object := `{"` + key + `":1,"other":2}`
				if kept := string(s.Selection.Append(nil, object)); !strings.HasPrefix(kept, `{"`+key+`":1`) {
					t.Fatalf("%q of %s keeps %s", request.Streams[i].Fields, s.Row.Name, kept)
				}
			}
		}
	})
}

func split(fields string) []string {
	if fields == "" {
		return nil
	}
	return strings.Split(fields, ",")
}
