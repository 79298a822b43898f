package airbyte_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// unlisted are streams whose rows can't be compared with a list of the simulated Stripe.
func unlisted(name string) bool {
	switch name {
	case "account", "balance", "tax_settings", "events", "billing_meter_event_summaries", "customer_cash_balances", "usage_records",
		"customer_discounts", "shipping_rates", "invoice_discounts", "subscription_discounts":
		return true
	}
	return false
}

// comparable returns the names of the streams of a catalog whose rows have an id and can be compared.
func comparable(catalog []catalogStream) (names []string) {
	for _, s := range catalog {
		if len(s.Key) == 1 && s.Key[0][0] == "id" && !unlisted(s.Name) {
			names = append(names, s.Name)
		}
	}
	return names
}

// TestEveryStream reads every stream in both modes: each line is a message, each record has the types of the catalog, and the
// rows match the truth.
func TestEveryStream(t *testing.T) {
	for _, mode := range []string{"full_refresh", "incremental"} {
		w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 4}, Accounts: 2})
		found := w.discover()
		catalog := configured(found, mode)
		d := newDestination(found, false)
		lines := w.sync(d, catalog)
		if names := comparable(found); len(names) < 80 {
			t.Errorf("only %d streams can be compared", len(names))
		} else {
			w.expect(d, names, nil)
		}
		schemas := map[string]*jsonschema.Schema{}
		for _, s := range found {
			schemas[s.Name] = compile(s.JSONSchema)
		}
		seen := map[string]int{}
		for _, l := range lines {
			if l.Type != "RECORD" {
				continue
			}
			seen[l.Record.Stream]++
			if err := validate(schemas[l.Record.Stream], l.Record.Data); err != nil {
				t.Fatalf("%s: %v: %.300s", l.Record.Stream, err, l.Record.Data)
			}
		}
		for _, s := range found {
			if seen[s.Name] == 0 && s.Name != "payout_balance_transactions" {
				t.Logf("%s: no record of %s", mode, s.Name)
			}
		}
		if mode != "incremental" {
			continue
		}
		w.wait(time.Hour)
		again := w.sync(d, catalog)
		w.expect(d, comparable(found), nil)
		for name, status := range ends(again) {
			if status != "COMPLETE" {
				t.Errorf("the second time, %s is %s", name, status)
			}
		}
	}
}

// TestKilledAtEachLine closes the output after each line, and resumes from the last state. In the end, the rows match the truth,
// whether or not the destination keeps records that no state follows.
func TestKilledAtEachLine(t *testing.T) {
	names := []string{"customers", "invoices", "invoice_line_items", "payment_methods", "coupons", "balance_transactions"}
	var found []catalogStream
	for n := 1; ; n++ {
		w := newWorld(t, stripetest.Options{Seed: uint64(n), Objects: map[string]int{
			"*": 0, "/v1/customers": 4, "/v1/invoices": 3, "/v1/coupons": 2, "/v1/balance_transactions": 3,
		}})
		w.pageSize = 1 + n%2
		if found == nil {
			found = w.discover()
		}
		catalog := configured(found, "incremental", names...)
		d := newDestination(found, n%4 < 2)
		lines, err := w.read(catalog, nil, n)
		d.load(lines)
		if err == nil {
			return
		}
		if !errors.Is(err, errKilled) {
			t.Fatalf("after line %d: %v", n, err)
		}
		if d.states["coupons"] == nil {
			d.rows["coupons"] = map[string]kept{} // the next read has no record that they were sent
		}
		w.change(n)
		w.wait(time.Minute)
		lines, _ = w.read(catalog, d.state(), 1+n%11)
		d.load(lines)
		w.wait(time.Hour)
		w.sync(d, catalog)
		w.wait(time.Hour)
		w.sync(d, catalog) // lists that were interrupted twice are re-read
		w.expect(d, names, nil)
		if n > 400 {
			t.Fatal("the read doesn't end")
		}
	}
}

// change changes, adds and deletes objects, depending on n.
func (w *world) change(n int) {
	pick := func(path string) string {
		var ids []string
		for id := range w.stripe.Truth(path) {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		return ids[n%len(ids)]
	}
	var err error
	switch n % 4 {
	case 0:
		err = w.stripe.Update(pick("/v1/customers"))
	case 1:
		err = w.stripe.Delete(pick("/v1/coupons"))
	case 2:
		_, err = w.stripe.Create("/v1/balance_transactions", nil)
	case 3:
		err = w.stripe.Update(pick("/v1/invoices"))
	}
	if err != nil {
		w.Errorf("%v", err)
	}
}

// TestStreamsThatFailAlone checks that a stream that doesn't exist, or has a damaged state, fails without the others. The state of
// a stream that isn't selected is ignored.
func TestStreamsThatFailAlone(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/customers": 3, "/v1/coupons": 2}})
	found := w.discover()
	catalog := configured(append(found, catalogStream{Name: "invoice_payments", JSONSchema: json.RawMessage("{}"), Modes: []string{"incremental"}}),
		"incremental", "customers", "coupons", "invoice_payments")
	state := json.RawMessage(`[{"type":"STREAM","stream":{"stream_descriptor":{"name":"charges"},"stream_state":{"updated":"1"}}},
		{"type":"STREAM","stream":{"stream_descriptor":{"name":"coupons"},"stream_state":{"updated":"soon"}}}]`)
	lines, err := w.read(catalog, state, -1)
	if err == nil {
		t.Error("the command succeeded")
	}
	if got, want := fmt.Sprint(failures(lines)), "[coupons config_error invoice_payments config_error]"; got != want {
		t.Errorf("failures %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(ends(lines)), "map[coupons:INCOMPLETE customers:COMPLETE invoice_payments:INCOMPLETE]"; got != want {
		t.Errorf("ends %s, want %s", got, want)
	}
}
