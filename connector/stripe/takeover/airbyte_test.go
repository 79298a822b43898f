package takeover_test

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
	"github.com/stripe-connector/stripe-connector/connector/stripe/takeover"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func airbyte() *takeover.Airbyte { return takeover.NewAirbyte(func() time.Time { return now }) }

// sourceStripe lists the streams of Airbyte's source-stripe 6.1, a line each.
//
//go:embed testdata/source-stripe.tsv
var sourceStripe string

// TestAirbyteStreams checks that tables continue: each stream of source-stripe has its name, key, cursor and columns. None of our
// streams has the name of a different stream there.
func TestAirbyteStreams(t *testing.T) {
	byName := map[string]takeover.AirbyteStream{}
	for _, s := range airbyte().Streams() {
		if other, ok := byName[s.Name]; ok {
			t.Errorf("%s and %s are both named %s", s.Source, other.Source, s.Name)
		}
		byName[s.Name] = s
	}
	known := 0
	for line := range strings.Lines(sourceStripe) {
		words := strings.Split(strings.TrimSpace(line), "\t")
		if words[0] == "stream" {
			continue
		}
		known++
		s, ok := byName[words[0]]
		if !ok || s.Source != words[1] {
			t.Errorf("%s is our %q, want %s", words[0], s.Source, words[1])
			continue
		}
		if got := strings.Join(s.Key, ","); got != strings.Trim(words[2], "-") {
			t.Errorf("%s has the key %q, want %s", s.Name, got, words[2])
		}
		if got := s.Cursor; got != strings.Trim(words[3], "-") {
			t.Errorf("%s has the cursor %q, want %s", s.Name, got, words[3])
		}
		for _, column := range strings.Split(strings.Trim(words[4], "-"), ",") {
			has := func(c [2]string) bool { return c[0] == column }
			if column != "" && column != "payout" && !slices.ContainsFunc(s.Columns(), has) {
				t.Errorf("%s lacks the column %s: %v", s.Name, column, s.Columns())
			}
		}
		delete(byName, s.Name)
	}
	if known != 48 {
		t.Errorf("%d streams of source-stripe, want 48", known)
	}
	for name, s := range byName {
		if name != s.Source && name != "customer_cards" && name != "treasury_payment_methods" {
			t.Errorf("%s is offered as %s without need", s.Source, name)
		}
	}
}

// TestPosition parses states of all forms that source-stripe 4 to 6 has written.
func TestPosition(t *testing.T) {
	tests := map[string]struct {
		stream, state string
		want          int64 // 0 if there is no cursor
	}{
		"string":            {"customers", `{"updated":"1764300000"}`, 1764300000},
		"integer":           {"customers", `{"updated":1764300000}`, 1764300000},
		"float":             {"customers", `{"updated":1764300000.0}`, 1764300000},
		"created":           {"balance_transactions", `{"created":"1764300000"}`, 1764300000},
		"global":            {"bank_accounts", `{"use_global_cursor":true,"state":{"updated":"1764300010"},"lookback_window":7,"parent_state":{"customers":{"updated":"1764300000"}}}`, 1764299993},
		"global, own older": {"transfer_reversals", `{"use_global_cursor":true,"state":{"created":"1764299000"},"lookback_window":0,"parent_state":{"transfers":{"updated":1764300000}}}`, 1764299000},
		"global, no parent": {"persons", `{"use_global_cursor":true,"state":{"created":"1764300000"},"lookback_window":5}`, 1764299995},
		"mixed":             {"invoice_line_items", `{"use_global_cursor":true,"state":{"created":"1700000000"},"lookback_window":7,"parent_state":{"invoices":{"updated":"1700000000"}},"invoice_updated":"1764300000"}`, 1764300000},
		"partitions": {"setup_attempts", `{"use_global_cursor":false,"states":[{"partition":{"setup_intent_id":"seti_1","parent_slice":{}},"cursor":{"created":"1764300005"}}],
			"state":{"created":"1764300005"},"lookback_window":7,"parent_state":{"setup_intents":{"updated":"1764300000"}}}`, 1764299993},
		"partitions alone": {"setup_attempts", `{"use_global_cursor":false,"states":[{"partition":{},"cursor":{"created":"1764300005"}},{"partition":{},"cursor":{"created":"1764300001"}}]}`, 1764300001},
		"nested parents":   {"customer_balance_transactions", `{"use_global_cursor":true,"state":{"created":"1764300000"},"parent_state":{"customers":{"state":{"updated":"1764200000"},"use_global_cursor":true}}}`, 1764200000},
		"slices":           {"customers", `{"state_type":"date-range","slices":[{"start":"1600000000","end":"1700000000","most_recent_cursor_value":"1699999999"},{"start":"1710000000","end":"1720000000"}],"legacy":{}}`, 1699999999},
		"slices, integers": {"customers", `{"state_type":"date-range","slices":[{"start":1600000000,"end":1700000000}]}`, 1700000000},
		"no cursor":        {"usage_record_summaries", `{"__ab_no_cursor_state_message":true}`, 0},
		"refreshed":        {"customers", `{"__ab_full_refresh_sync_complete":true}`, 0},
		"empty":            {"customers", `{}`, 0},
		"empty partitions": {"setup_attempts", `{"use_global_cursor":false,"states":[],"parent_state":{}}`, 0},
	}
	a := airbyte()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := a.Position(test.stream, json.RawMessage(test.state))
			if err != nil || got.IsZero() != (test.want == 0) || test.want != 0 && got.Unix() != test.want {
				t.Errorf("got %v (%d), %v, want %d", got, got.Unix(), err, test.want)
			}
		})
	}
}

// TestNonsenseIsNoPosition checks that a state that source-stripe never writes is refused, not mistaken for one of a new stream.
func TestNonsenseIsNoPosition(t *testing.T) {
	a := airbyte()
	for _, text := range []string{
		`"1764300000"`, `1764300000`, `true`, `[]`, `{"updated":null}`, `{"updated":"soon"}`, `{"updated":-1}`, `{"updated":1764300000.5}`, `{"updated":{}}`,
		`{"updated":1764300000000}`, `{"updated":"NaN"}`, `{"updated":""}`, `{"cursor":1764300000}`, `{"state":1}`, `{"state":{"state":{"updated":"1764300000"}}}`, `{"states":[{"cursor":{"x":1}}]}`, `{"state":{"updated":"x"}}`,
		`{"state":{"updated":"1764300000"},"lookback_window":"long"}`, `{"slices":[{}]}`, `{"states":{}}`, `{"parent_state":{"customers":"1764300000"}}`,
		`{"parent_state":{"customers":{"updated":[]}}}`, `{"version":4,"windows":[]}`,
	} {
		if got, err := a.Position("customers", json.RawMessage(text)); err == nil {
			t.Errorf("%s is the position %v", text, got)
		}
	}
}

const config = `{"api_key":"sk_test_123"}`

// TestResume checks that the state made for a position is a valid one that continues before it, and that a position in the future is
// refused.
func TestResume(t *testing.T) {
	a, offered := airbyte(), catalog(t)
	for _, s := range a.Streams() {
		config := config
		if !slices.ContainsFunc(offered, func(o connector.Stream) bool { return o.Name == s.Source }) {
			config = `{"api_key":"sk_test_123","api_version":"2026-08-26.dahlia"}`
		}
		raw, err := a.Resume(connector.NewConfig(config), s.Source, nil, now.Add(-time.Hour))
		if err != nil {
			t.Fatalf("%s: %v", s.Source, err)
		}
		parsed, err := state.Parse(raw, "test", 1<<40)
		if err != nil {
			t.Fatalf("%s: %v", s.Source, err)
		}
		if parsed.Generation != state.FirstGeneration || len(parsed.Windows) > 0 || parsed.Watermark().After(now.Add(-24*time.Hour)) {
			t.Errorf("%s: %s", s.Source, raw)
		}
		if _, err := a.Resume(connector.NewConfig(config), s.Source, nil, now.Add(time.Hour)); err == nil || !strings.Contains(err.Error(), "future") {
			t.Errorf("%s: a position in the future: %v", s.Source, err)
		}
	}
}

// TestStatesForSourceStripe checks that the states written for source-stripe have the intended position.
func TestStatesForSourceStripe(t *testing.T) {
	a := airbyte()
	for _, s := range a.Streams() {
		text := a.State(s.Source, now)
		if s.Cursor == "" {
			if text != nil {
				t.Errorf("%s: %s", s.Source, text)
			}
			continue
		}
		at, err := a.Position(s.Source, text)
		if err != nil || at.After(now) || at.Before(now.Add(-time.Hour)) {
			t.Errorf("%s: %s is the position %v: %v", s.Source, text, at, err)
		}
		if strings.Contains(string(text), `":1`) {
			t.Errorf("%s: %s has a cursor that is no string", s.Source, text)
		}
	}
}

// TestAirbyteConfig checks which configurations of source-stripe are accepted, and how they are translated.
func TestAirbyteConfig(t *testing.T) {
	tests := map[string]struct{ given, want, wrong string }{
		"least":                 {`{"client_secret":"sk_test_1"}`, `{"api_key":"sk_test_1","start_date":"2017-01-25T00:00:00Z"}`, ""},
		"all":                   {`{"client_secret":"rk_live_1","account_id":"acct_1","start_date":"2020-01-01T00:00:00Z","lookback_window_days":3,"slice_range":30,"num_workers":1,"call_rate_limit":25,"api_retention_streams":["charges"],"api_base":"http://x","update_mode":"reread","whatever":{}}`, `{"account":"acct_1","api_base":"http://x","api_key":"rk_live_1","lookback_days":3,"max_requests_per_second":25,"start_date":"2020-01-01T00:00:00Z","update_mode":"reread"}`, ""},
		"nulls":                 {`{"client_secret":"sk_test_1","account_id":null,"start_date":null,"num_workers":null}`, `{"api_key":"sk_test_1","start_date":"2017-01-25T00:00:00Z"}`, ""},
		"lookback":              {`{"client_secret":"sk_test_1","lookback_window_days":9999}`, `{"api_key":"sk_test_1","lookback_days":600,"start_date":"2017-01-25T00:00:00Z"}`, ""},
		"no key":                {`{}`, "", "config.client_secret"},
		"bad key":               {`{"client_secret":"hunter2"}`, "", "config.client_secret"},
		"account":               {`{"client_secret":"sk_test_1","account_id":"mine"}`, "", "config.account_id"},
		"date":                  {`{"client_secret":"sk_test_1","start_date":"2020-01-01"}`, "", "config.start_date"},
		"future":                {`{"client_secret":"sk_test_1","start_date":"2099-01-01T00:00:00Z"}`, "", "config.start_date"},
		"lookback of minus one": {`{"client_secret":"sk_test_1","lookback_window_days":-1}`, "", "config.lookback_window_days"},
		"workers":               {`{"client_secret":"sk_test_1","num_workers":"many"}`, "", "config.num_workers"},
		"slices":                {`{"client_secret":"sk_test_1","slice_range":0}`, "", "config.slice_range"},
		"rate":                  {`{"client_secret":"sk_test_1","call_rate_limit":0}`, "", "config.call_rate_limit"},
		"streams":               {`{"client_secret":"sk_test_1","api_retention_streams":"charges"}`, "", "config.api_retention_streams"},
		"no object":             {`[]`, "", "config"},
		"null":                  {`null`, "", "config"},
		"not JSON":              {`{`, "", "config"},
	}
	a := airbyte()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, account, _, err := a.Config(json.RawMessage(test.given))
			failure, failed := connector.FailureIn(err)
			switch {
			case test.wrong == "" && (err != nil || string(c.JSON()) != test.want):
				t.Errorf("got %s, %v, want %s", c.JSON(), err, test.want)
			case test.wrong != "" && (!failed || failure.Class != connector.ConfigError || failure.Violations[0].Field != test.wrong):
				t.Errorf("got %v, want a violation of %s", err, test.wrong)
			case strings.Contains(test.given, `"acct_1"`) && account != "acct_1":
				t.Errorf("the account is %q", account)
			case err != nil && strings.Contains(err.Error(), "hunter2"):
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
}

// TestRows checks the columns that are added to records.
func TestRows(t *testing.T) {
	at := time.Unix(1764300000, 0)
	tests := map[string]struct {
		stream string
		record connector.Record
		first  bool
		want   string
	}{
		"listed first":   {"customers", connector.Record{Data: `{"id":"cus_1","created":5}`, Operation: connector.Upsert}, true, `{"id":"cus_1","created":5,"updated":5}`},
		"listed later":   {"customers", connector.Record{Data: `{"id":"cus_1","created":5}`, Operation: connector.Upsert}, false, `{"id":"cus_1","created":5,"updated":1764300000}`},
		"own updated":    {"products", connector.Record{Data: `{"id":"prod_1","created":5,"updated":7,"url":null}`, Operation: connector.Upsert}, true, `{"id":"prod_1","created":5,"updated":7,"url":null}`},
		"product":        {"products", connector.Record{Data: `{"id":"prod_1","created":5,"updated":7,"url":null}`, Operation: connector.Upsert}, false, `{"id":"prod_1","created":5,"updated":1764300000,"url":null}`},
		"without a date": {"bank_accounts", connector.Record{Data: `{"id":"ba_1"}`, Operation: connector.Upsert}, true, `{"id":"ba_1","updated":1764300000}`},
		"invoice item":   {"invoice_items", connector.Record{Data: `{"id":"ii_1","date":5}`, Operation: connector.Upsert}, true, `{"id":"ii_1","date":5,"updated":1764300000}`},
		"deleted":        {"customers", connector.Record{Data: `{"id":"cus_1"}`, Operation: connector.Delete}, false, `{"id":"cus_1","updated":1764300000,"is_deleted":true}`},
		"deleted, known": {"customers", connector.Record{Data: `{"id":"cus_1"}`, Last: `{"id":"cus_1","created":5}`, Operation: connector.Delete}, true, `{"id":"cus_1","created":5,"updated":1764300000,"is_deleted":true}`},
		"canceled":       {"subscriptions", connector.Record{Data: `{"id":"sub_1","status":"canceled"}`, Operation: connector.Upsert}, false, `{"id":"sub_1","status":"canceled","updated":1764300000,"is_deleted":true}`},
		"active":         {"subscriptions", connector.Record{Data: `{"id":"sub_1","status":"active"}`, Operation: connector.Upsert}, false, `{"id":"sub_1","status":"active","updated":1764300000}`},
		"line item": {"invoice_line_items", connector.Record{Data: `{"id":"il_1","invoice":"in_1"}`, Parent: `{"id":"in_1","created":5}`, Operation: connector.Upsert}, true,
			`{"id":"il_1","invoice":"in_1","invoice_id":"in_1","invoice_created":5,"invoice_updated":5}`},
		"line item of a change": {"invoice_line_items", connector.Record{Data: `{"id":"il_1","invoice":"in_1"}`, Operation: connector.Upsert}, false,
			`{"id":"il_1","invoice":"in_1","invoice_id":"in_1","invoice_updated":1764300000}`},
		"item of a session": {"checkout_session_line_items", connector.Record{Data: `{"id":"li_1","checkout_session":"cs_1"}`, Parent: `{"id":"cs_1","created":5,"expires_at":9}`, Operation: connector.Upsert}, false,
			`{"id":"li_1","checkout_session":"cs_1","checkout_session_id":"cs_1","checkout_session_created":5,"checkout_session_expires_at":9,"checkout_session_updated":1764300000}`},
		"transaction":         {"balance_transactions", connector.Record{Data: `{"id":"txn_1","created":5}`, Operation: connector.Upsert}, false, `{"id":"txn_1","created":5}`},
		"deleted transaction": {"customer_balance_transactions", connector.Record{Data: `{"id":"cbtxn_1"}`, Operation: connector.Delete}, false, `{"id":"cbtxn_1","created":1764300000,"is_deleted":true}`},
		"usage":               {"usage_record_summaries", connector.Record{Data: `{"id":"sis_1"}`, Operation: connector.Upsert}, true, `{"id":"sis_1"}`},
	}
	a := airbyte()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := string(a.AppendRow([]byte("x"), test.stream, &test.record, at.Unix(), test.first)); got != "x"+test.want {
				t.Errorf("got  %s\nwant x%s", got, test.want)
			}
		})
	}
}

// TestFields checks that deselected columns aren't requested, and that what the added columns need is.
func TestFields(t *testing.T) {
	a := airbyte()
	if got := a.Fields("charges", []string{"id", "amount", "updated"}); strings.Join(got, " ") != "amount created id" {
		t.Errorf("charges: %v", got)
	}
	if got := a.Fields("subscriptions", []string{"id"}); strings.Join(got, " ") != "created id status" {
		t.Errorf("subscriptions: %v", got)
	}
	if got := a.Fields("invoice_line_items", nil); !slices.Contains(got, "invoice") {
		t.Errorf("invoice_line_items: %v", got)
	}
	for _, s := range a.Streams() {
		var all []string
		var schema struct{ Properties map[string]any }
		for _, offered := range catalog(t) {
			if offered.Name == s.Source {
				if err := json.Unmarshal(offered.JSONSchema, &schema); err != nil {
					t.Fatal(err)
				}
			}
		}
		for name := range schema.Properties {
			all = append(all, name)
		}
		if got := a.Fields(s.Source, all); got != nil {
			t.Errorf("%s: all columns are the fields %v", s.Source, got)
		}
	}
}

// catalog returns the streams of the source.
func catalog(t *testing.T) []connector.Stream {
	t.Helper()
	found, err := stripe.New(stripe.Options{}).Discover(t.Context(), connector.DiscoverRequest{Config: connector.NewConfig(config)})
	if err != nil {
		t.Fatal(err)
	}
	return found.Streams
}
