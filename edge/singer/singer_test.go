package singer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	"github.com/stripe-connector/stripe-connector/connector/stripe/takeover"
	"github.com/stripe-connector/stripe-connector/edge/singer"
)

// TestTables reads the tap's streams by Singer's rules, and compares the tables with the truth: after a first run, after a second
// from the last STATE, and after changes.
func TestTables(t *testing.T) {
	w, into := newWorld(t, stripetest.Options{Scale: 0.2}), newTarget()
	w.run(t, into)
	into.check(t)
	for stream := range tapStreams {
		for _, difference := range w.compare(into, stream) {
			t.Error(difference)
		}
		if len(into.tables[stream]) == 0 {
			t.Errorf("%s has no rows", stream)
		}
	}
	before := into.records
	w.wait(10 * time.Minute)
	w.run(t, into)
	into.check(t)
	if again := into.records - before; again > 20 {
		t.Errorf("the second run sent %d records, although nothing changed", again)
	}
	w.change(t, 1, 40)
	w.wait(10 * time.Minute)
	w.run(t, into)
	into.check(t)
	for stream := range tapStreams {
		for _, difference := range w.compare(into, stream) {
			t.Error(difference)
		}
	}
}

// change makes a number of changes, some seconds apart.
func (w *world) change(t *testing.T, seed uint64, n int) {
	t.Helper()
	traffic := w.stripe.Traffic(seed, "/v1/charges", "/v1/customers", "/v1/plans", "/v1/payment_intents", "/v1/invoices", "/v1/invoiceitems",
		"/v1/transfers", "/v1/coupons", "/v1/subscriptions", "/v1/disputes", "/v1/products")
	for i := range n {
		w.wait(3 * time.Second)
		if _, err := traffic.Change(); err != nil {
			t.Fatal(err)
		}
		if i%20 != 10 {
			continue
		}
		for _, path := range []string{"/v1/payouts", "/v1/balance_transactions"} {
			if _, err := w.stripe.Create(path); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestEverythingIsValid reads every stream with every column.
func TestEverythingIsValid(t *testing.T) {
	if testing.Short() {
		t.Skip("validates without concurrency")
	}
	w, into := newWorld(t, stripetest.Options{Scale: 0.2}), newTarget()
	tap, _, err := takeover.NewSinger(w.configText(), now)
	if err != nil {
		t.Fatal(err)
	}
	var entries []entry
	for _, s := range tap.Streams() {
		e := entry{s.Name, []meta{{[]string{}, map[string]any{"selected": true}}}}
		_, columns := s.Columns()
		for name := range columns {
			e.Metadata = append(e.Metadata, meta{[]string{"properties", name}, map[string]any{"selected": true}})
		}
		entries = append(entries, e)
	}
	w.setCatalog(entries)
	w.run(t, into)
	into.check(t)
	for _, s := range entries {
		if into.schemas[s.ID] == nil {
			t.Errorf("%s has no SCHEMA", s.ID)
		}
	}
	if strings.Contains(w.log.String(), "WARNING") {
		t.Errorf("it warned: %s", warnings(w.log.String()))
	}
}

// warnings returns the warnings in a log.
func warnings(log string) string {
	var all []string
	for line := range strings.Lines(log) {
		if !strings.HasPrefix(line, "INFO") {
			all = append(all, line)
		}
	}
	return strings.Join(all, "")
}

// TestResumeAfterEveryLine ends a target after each line of a run, resumes from the last STATE before it, and compares the tables
// with the truth.
func TestResumeAfterEveryLine(t *testing.T) {
	objects := map[string]int{"*": 0, "/v1/customers": 4, "/v1/charges": 5, "/v1/invoices": 3, "/v1/coupons": 3, "/v1/subscriptions": 3, "/v1/balance_transactions": 4, "/v1/payouts": 2}
	streams := []string{"customers", "charges", "invoices", "invoice_line_items", "coupons", "subscriptions", "subscription_items", "balance_transactions", "payout_transactions"}
	w, into := newWorld(t, stripetest.Options{Objects: objects}, streams...), newTarget()
	for run := range 2 { // a first one, and one with changes
		start := w.state
		var out bytes.Buffer
		if err := w.call(t.Context(), &out, singer.Call{Catalog: w.catalog, State: start}); err != nil {
			t.Fatal(err)
		}
		all := lines(out.Bytes())
		for n := range all {
			if testing.Short() && n%9 != run {
				continue
			}
			interrupted := newTarget()
			interrupted.unchecked = true
			if run > 0 {
				for stream, table := range into.tables {
					interrupted.tables[stream] = map[string]map[string]any{}
					for key, row := range table {
						interrupted.tables[stream][key] = row
					}
				}
			}
			if _, err := interrupted.Write(bytes.Join(all[:n], nil)); err != nil {
				t.Fatal(err)
			}
			w.state = start
			if interrupted.state != nil {
				w.state = interrupted.state
			}
			w.run(t, interrupted)
			interrupted.check(t)
			for _, stream := range streams {
				for _, difference := range w.compare(interrupted, stream) {
					t.Errorf("run %d resumed after line %d: %s", run, n, difference)
				}
			}
			if t.Failed() {
				return
			}
		}
		w.state = start
		w.run(t, into)
		w.change(t, 7, 12)
		w.wait(10 * time.Minute)
	}
}

// TestStop ends the context of a run, as a signal does: the run ends with a STATE, from which another completes the tables.
func TestStop(t *testing.T) {
	w, into := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/charges": 1000}}, "charges"), newTarget()
	ctx, cancel := context.WithCancel(t.Context())
	out := writerFunc(func(text []byte) (int, error) {
		if bytes.Contains(text, []byte(`"RECORD"`)) {
			cancel()
		}
		return into.Write(text)
	})
	err := w.call(ctx, out, singer.Call{Catalog: w.catalog})
	if err == nil || !strings.Contains(err.Error(), "resume from the last STATE") {
		t.Errorf("got %v", err)
	}
	if into.last != "STATE" || len(into.tables["charges"]) == 1000 {
		t.Errorf("stopped after %d records with %s", into.records, into.last)
	}
	w.state = into.state
	w.run(t, into)
	into.check(t)
	for _, difference := range w.compare(into, "charges") {
		t.Error(difference)
	}
	if into.records > 1300 {
		t.Errorf("read %d records in all", into.records)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(text []byte) (int, error) { return f(text) }

// TestClosedOutput checks that a run whose target has ended fails, and says why.
func TestClosedOutput(t *testing.T) {
	w := newWorld(t, stripetest.Options{}, "charges")
	for _, discover := range []bool{false, true} {
		out := writerFunc(func([]byte) (int, error) { return 0, errClosed })
		err := w.call(t.Context(), out, singer.Call{Catalog: w.catalog, Discover: discover})
		if err == nil || !strings.Contains(err.Error(), "Has the target ended?") {
			t.Errorf("discover %v: got %v", discover, err)
		}
	}
}

// TestNonsense checks that nonsense causes an error that says what is wrong, not a silent full read.
func TestNonsense(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/charges": 3}}, "charges")
	for state, want := range map[string]string{
		"":                            "state: must be a JSON object",
		"{":                           "state: must be a JSON object",
		"[]":                          "state: must be a JSON object",
		`{"type":"STATE","value":{}}`: `state: has no "bookmarks"`,
		`{"bookmarks":3}`:             "state.bookmarks: must be an object",
		`{"bookmarks":{"charges":7}}`: "state.bookmarks.charges: must be an object",
		`{"bookmarks":{"charges":{"created":"yesterday"}}}`:            "state.bookmarks.charges.created: must be a time in Unix seconds",
		`{"bookmarks":{"charges":{"created":-5}}}`:                     "state.bookmarks.charges.created: must be a time in Unix seconds",
		`{"bookmarks":{"charges":{"created":99999999999}}}`:            "in the future",
		`{"bookmarks":{"charges_events":{"updates_created":{}}}}`:      "state.bookmarks.charges_events.updates_created: must be a time",
		`{"stripe_connector":[]}`:                                      "state.stripe_connector: is damaged",
		`{"bookmarks":{},"stripe_connector":{"charges":{"state":{}}}}`: "has version 0",
	} {
		w.fails(t, singer.Call{Catalog: w.catalog, State: []byte(state)}, want)
	}
	for catalog, want := range map[string]string{
		"":              "catalog: must be an object",
		"{}":            "catalog: must be an object",
		`{"streams":3}`: "catalog: must be an object",
		`{"streams":[{"tap_stream_id":"charge","metadata":[{"breadcrumb":[],"metadata":{"selected":true}}]}]}`:                                                                                          `is "charge", which is not a stream`,
		`{"streams":[{"tap_stream_id":"charges","metadata":[{"breadcrumb":[],"metadata":{"selected":"yes"}}]}]}`:                                                                                        "must be true or false",
		`{"streams":[{"tap_stream_id":"charges","metadata":[{"breadcrumb":[],"metadata":{"selected":true}}]},{"tap_stream_id":"charges","metadata":[{"breadcrumb":[],"metadata":{"selected":true}}]}]}`: "more than once",
	} {
		w.fails(t, singer.Call{Catalog: []byte(catalog)}, want)
	}
	for name, c := range map[string]struct {
		field string
		value any
		want  string
	}{
		"no key":         {"client_secret", nil, "config.client_secret: is missing"},
		"no start":       {"start_date", "", "config.start_date: is missing"},
		"not a start":    {"start_date", "soon", "config.start_date: must be a time"},
		"future":         {"start_date", "2094-01-01", "must be in the past"},
		"lookback":       {"lookback_window", "a while", "config.lookback_window: must be a number"},
		"negative":       {"lookback_window", -1, "config.lookback_window: must be a non-negative number of seconds, got -1"},
		"windows":        {"date_window_size", "wide", "config.date_window_size: must be a number"},
		"API version":    {"api_version", "2026-07-29.dahlia", "config.api_version: is"},
		"whitelist":      {"whitelist_map", "[]", "config.whitelist_map: must be an object"},
		"malformed rate": {"max_requests_per_second", "0.001", "max_requests_per_second: must be a number between 0.1 and 10000, got 0.001"},
	} {
		t.Run(name, func(t *testing.T) {
			before := w.config[c.field]
			w.config[c.field] = c.value
			w.fails(t, singer.Call{Catalog: w.catalog}, c.want)
			w.fails(t, singer.Call{Discover: true}, c.want)
			if w.config[c.field] = before; before == nil {
				delete(w.config, c.field)
			}
		})
	}
}

// TestNothingSelected checks that a run that selects nothing reads nothing, as the tap does, and says so.
func TestNothingSelected(t *testing.T) {
	w := newWorld(t, stripetest.Options{})
	for _, catalog := range [][]byte{nil, []byte(`{"streams":[]}`), []byte(`{"streams":[{"tap_stream_id":"charges","metadata":[{"breadcrumb":[],"metadata":{"selected":"false"}}]}]}`)} {
		var out bytes.Buffer
		if err := w.call(t.Context(), &out, singer.Call{Catalog: catalog}); err != nil || out.Len() > 0 {
			t.Errorf("%s: %v, %q", catalog, err, out.String())
		}
	}
	if !strings.Contains(w.log.String(), "WARNING No stream is selected") || w.stripe.RequestCount("") > 0 {
		t.Errorf("it logged %s, and made %d requests", w.log.String(), w.stripe.RequestCount(""))
	}
}

// TestDiscoverWithRestrictedKey checks that a key with few permissions gets a catalog that marks the streams it may not read.
func TestDiscoverWithRestrictedKey(t *testing.T) {
	for name, permissions := range map[string][]string{"charges only": {"rak_charge_read"}, "nothing": {}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, stripetest.Options{Keys: map[string]stripetest.Key{"rk_test_1": {Permissions: permissions}}}, "charges")
			w.config["client_secret"] = "rk_test_1"
			var out bytes.Buffer
			if err := w.call(t.Context(), &out, singer.Call{Discover: true}); err != nil {
				t.Fatal(err)
			}
			var c struct{ Streams []entry }
			if err := json.Unmarshal(out.Bytes(), &c); err != nil {
				t.Fatal(err)
			}
			for _, s := range c.Streams {
				want := "unsupported"
				if s.ID == "charges" && len(permissions) > 0 || tapStreams[s.ID].path == "" {
					want = "available"
				}
				if got := s.Metadata[0].Metadata["inclusion"]; got != want {
					t.Errorf("%s is %v, want %s", s.ID, got, want)
				}
				if got := s.Metadata[0].Metadata["selected-by-default"]; got != (want == "available" && tapStreams[s.ID].path != "") {
					t.Errorf("%s: selected-by-default is %v", s.ID, got)
				}
			}
		})
	}
	w := newWorld(t, stripetest.Options{Keys: map[string]stripetest.Key{"rk_test_1": {}}}, "charges")
	w.fails(t, singer.Call{Discover: true}, "key")
}

// TestColumns checks the selection of columns, including nested ones.
func TestColumns(t *testing.T) {
	w, into := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/charges": 20}}), newTarget()
	choose := func(selected bool, breadcrumb ...string) meta {
		return meta{breadcrumb, map[string]any{"selected": selected}}
	}
	w.setCatalog([]entry{{"charges", []meta{
		choose(true), choose(false, "properties", "id"), choose(false, "properties", "refunds"), choose(false, "properties", "amount"),
		choose(true, "properties", "failure_balance_transaction"),
		choose(false, "properties", "billing_details", "properties", "address"), choose(false, "properties", "billing_details", "properties", "email"),
	}}})
	w.run(t, into)
	into.check(t)
	schema := decode(into.texts["charges"])["properties"].(map[string]any)
	for _, name := range []string{"amount", "refunds", "failure_balance_transaction", "source", "updated_by_event_type"} {
		if schema[name] == nil {
			t.Errorf("the schema lacks %s", name)
		}
	}
	if schema["radar_options"] != nil {
		t.Error("the schema has a column that wasn't selected")
	}
	for _, row := range into.tables["charges"] {
		_, hasAmount := row["amount"]
		_, hasRefunds := row["refunds"]
		_, hasFurther := row["failure_balance_transaction"]
		billing, _ := row["billing_details"].(map[string]any)
		if hasAmount || hasRefunds || !hasFurther || row["id"] == nil || row["currency"] == nil {
			t.Errorf("got the columns of %v", row)
		}
		if _, ok := billing["name"]; !ok || len(billing) != 2 {
			t.Errorf("got billing_details %v", billing)
		}
	}
	if requests := w.stripe.Requests(); len(requests) == 0 {
		t.Error("no requests")
	}
}

// TestEventData checks that whitelist_map limits what is sent of events.
func TestEventData(t *testing.T) {
	w, into := newWorld(t, stripetest.Options{}, "events"), newTarget()
	w.config["whitelist_map"] = `{"events": [["data", "object", "id"], ["type"]], "charges": [["x"]]}`
	w.run(t, into)
	into.check(t)
	for _, row := range into.tables["events"] {
		data := row["data"].(map[string]any)
		object, _ := data["object"].(map[string]any)
		if len(data) != 1 || len(object) != 1 || object["id"] == nil {
			t.Fatalf("data is %v", data)
		}
	}
	if len(into.tables["events"]) == 0 {
		t.Error("no events")
	}
}

// TestSchemasKeepTheTapsColumns checks facts about the tap's schemas that are easy to lose.
func TestSchemasKeepTheTapsColumns(t *testing.T) {
	w, into := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 0}}), newTarget()
	w.run(t, into)
	for _, c := range []struct{ stream, path, want string }{
		{"charges", "created", "null string date-time"},
		{"charges", "source.created", "null string date-time"},
		{"charges", "refunds[].created", "null string date-time"},
		{"charges", "order", "null string"},
		{"charges", "card", "null object"},
		{"charges", "payment_method_details.card.exp_month", "null integer"},
		{"customers", "tax_info", "null string"},
		{"customers", "discount.coupon.redeem_by", "null string date-time"},
		{"customers", "sources[].created", "null string date-time"},
		{"customers", "subscriptions[]", "null string"},
		{"plans", "amount_decimal", "null string singer.decimal"},
		{"events", "request", "null string"},
		{"disputes", "evidence", "null string object"},
		{"balance_transactions", "available_on", "null integer"},
		{"invoice_line_items", "price.tiers[].flat_amount_decimal", "null string singer.decimal"},
		{"invoice_line_items", "plan.created", "null string date-time"},
		{"invoice_items", "date", "null string date-time"},
		{"invoices", "default_tax_rates[].percentage", "null string singer.decimal"},
		{"payout_transactions", "payout_id", "null string"},
	} {
		at := decode(into.texts[c.stream])
		for _, name := range strings.Split(c.path, ".") {
			name, items := strings.CutSuffix(name, "[]")
			properties, _ := at["properties"].(map[string]any)
			at, _ = properties[name].(map[string]any)
			if items {
				at, _ = at["items"].(map[string]any)
			}
		}
		var words []string
		types, _ := at["type"].([]any)
		for _, word := range types {
			words = append(words, word.(string))
		}
		if format, ok := at["format"].(string); ok {
			words = append(words, format)
		}
		if got := strings.Join(words, " "); got != c.want {
			t.Errorf("%s.%s is %q, want %q", c.stream, c.path, got, c.want)
		}
	}
	if key := into.keys["invoice_line_items"]; !slices.Equal(key, []string{"id", "invoice"}) {
		t.Errorf("the key of line items is %v", key)
	}
	if len(into.schemas) != 18 {
		t.Errorf("there are %d streams", len(into.schemas))
	}
}
