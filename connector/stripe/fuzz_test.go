package stripe

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// refused checks that an error names fields below one of these, as callers rely on, and gives whether there was one.
func refused(t *testing.T, err error, below ...string) bool {
	t.Helper()
	if err == nil {
		return false
	}
	failure, ok := errors.AsType[*connector.Failure](err)
	if !ok || failure.Class != connector.ConfigError || len(failure.Violations) == 0 || failure.Retryable {
		t.Fatalf("got %#v", err)
	}
	for _, v := range failure.Violations {
		known := false
		for _, prefix := range below {
			known = known || v.Field == prefix || strings.HasPrefix(v.Field, prefix+".") || strings.HasPrefix(v.Field, prefix+"[")
		}
		if !known || v.Description == "" || !utf8.ValidString(v.Field) || !utf8.ValidString(v.Description) {
			t.Fatalf("violation %+q", v)
		}
	}
	return true
}

// FuzzConfig holds that a configuration is either refused with its wrong fields named, or means what it may mean.
func FuzzConfig(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `[]`, `{"api_key":"rk_test_1"}`, `{"api_key":"sk_live_1","account":"acct_1","start_date":"2024-01-31"}`,
		`{"api_key":"rk_test_1","lookback_days":600,"max_requests_per_second":0.5}`, `{"api_key":1,"lookback_days":-1,"x":{}}`,
		`{"api_key":"rk_test_1","start_date":"0001-01-01T00:00:00+23:59","api_base":"http://127.0.0.1:9999"}`,
		`{"api_key":"rk_test_1","start_date":"0000-01-01","lookback_days":600}`,
		`{"api_key":"rk_test_1","api_base":"https://user@evil.example/?x"}`, `{"api_key":"rk_test_1","lookback_days":1e308}`,
	} {
		f.Add([]byte(seed))
	}
	source := testSource()
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := source.parseConfig(raw)
		if refused(t, err, "config") {
			return
		}
		if !keyPattern.MatchString(c.APIKey) || c.Start.After(testNow) || c.Start.Unix() < 0 || c.Start.Nanosecond() != 0 || c.MaxRate < 0 || c.MaxRate > maxRate {
			t.Fatalf("%q means %+v", raw, c)
		}
		if base := strings.TrimRight(c.APIBase, "/"); base != "" && base != "https://api.stripe.com" && base != "http://127.0.0.1:9999" {
			t.Fatalf("%q lets the key out to %q", raw, c.APIBase)
		}
	})
}

// FuzzState holds that a state is either refused, or read, written and read again as the same.
func FuzzState(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `{"version":1}`, `{"version":2}`,
		`{"version":1,"mode":"test","generation":1,"from":"2023-06-15T00:00:00Z","to":"2024-06-15T12:00:00Z","pass":{"id":"A","sequence":0,"streams":1},"windows":[]}`,
		`{"version":1,"mode":"test","generation":1,"from":"2023-06-15T00:00:00Z","to":"2024-06-15T12:00:00Z","pass":{"id":"A","sequence":2,"streams":2,"since":{"id":"B","sequence":1}},` +
			`"windows":[{"from":"2023-06-15T00:00:00Z","to":"2024-06-15T12:00:00Z","after":"in_1","at":"2024-05-04T08:15:00Z"}]}`,
		`{"version":2,"mode":"test","generation":1,"from":"2023-06-15T00:00:00Z","to":"2024-06-15T12:00:00Z","pass":{"id":"A","sequence":0,"streams":1},"windows":[],` +
			`"pending":"2024-06-01T00:00:00Z","changes":{"from":"2024-06-15T11:00:00Z","until":"2024-06-15T12:00:00Z","seen":["aGVsbG8x"],"reread":"2024-06-15T12:00:01Z"},` +
			`"owner":{"account":"acct_1","key":"0123456789ab"}}`,
		`{"version":1,"mode":"test","generation":1,"from":"0000-01-01T00:00:00+12:00","to":"9999-12-31T23:00:00-12:00","pass":{"id":"A","sequence":0,"streams":1},"windows":[]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := parseState(raw, "test", second(testNow.Unix()))
		if err != nil {
			return
		}
		for _, w := range s.Windows {
			if w.From < s.From || w.To > s.To || w.From > w.To {
				t.Fatalf("%s has the window %+v", raw, w)
			}
		}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatalf("%s cannot be written again: %v", raw, err)
		}
		again, err := parseState(text, "test", second(testNow.Unix()))
		if err != nil {
			t.Fatalf("%s was written as %s, which is refused: %v", raw, text, err)
		}
		if diff := cmp.Diff(s, again, cmp.AllowUnexported(state{}, window{})); diff != "" {
			t.Fatal(diff)
		}
	})
}

// FuzzCatalog holds that configured streams, with fields and states, are either refused with their places named, or
// planned: each stream once, with its key among the fields.
func FuzzCatalog(f *testing.F) {
	const state = `{"version":1,"mode":"test","generation":1,"from":"2023-06-15T00:00:00Z","to":"2024-06-15T12:00:00Z","pass":{"id":"A","sequence":0,"streams":1},"windows":[]}`
	f.Add("charges", "id,billing_details.email", "invoice_line_items", "amount", state)
	f.Add("charges", "", "charges", "", "")
	f.Add("chargs", "..", "", "id.", `{"version":3}`)
	f.Add("subscriptions", "metadata.any thing", "subscription_items", "price.currency_options.eur.unit_amount", "{}")
	source := testSource()
	c := config{APIKey: "rk_test_1", Start: testNow.AddDate(-1, 0, 0)}
	f.Fuzz(func(t *testing.T, first, firstFields, second, secondFields, state string) {
		request := connector.ReadRequest{Streams: []connector.ConfiguredStream{
			{Stream: first, Fields: split(firstFields)}, {Stream: second, Fields: split(secondFields)},
		}}
		if state != "" {
			request.States = []connector.StreamState{{Stream: second, State: json.RawMessage(state)}}
		}
		passes, outputs, err := source.plan(c, request, new(sync.Mutex))
		if refused(t, err, "streams", "states") {
			return
		}
		if first == second || len(outputs) != 2 || len(passes) == 0 || len(passes) > 2 {
			t.Fatalf("%q and %q: %d outputs in %d passes", first, second, len(outputs), len(passes))
		}
		for i, out := range outputs {
			if out.stream.Name != request.Streams[i].Stream || out.member == nil {
				t.Fatalf("output %d is %q", i, out.stream.Name)
			}
			for _, key := range out.stream.primaryKey() {
				object := `{"` + key + `":1,"other":2}`
				if kept := string(out.selection.Append(nil, object)); !strings.HasPrefix(kept, `{"`+key+`":1`) {
					t.Fatalf("%q of %s keeps %s", request.Streams[i].Fields, out.stream.Name, kept)
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

// FuzzFieldPath holds that any path gets an answer, and that one which is taken selects nothing but itself.
func FuzzFieldPath(f *testing.F) {
	for _, seed := range []string{"id", "billing_details.email", "metadata.x", "payment_intent.id", "refunds.data.amount", "", ".", "a.b.c", "é", "\xff"} {
		f.Add(seed)
	}
	row := testSource().streams.find("charges")
	shape := testSource().streams.properties(row)
	f.Fuzz(func(t *testing.T, path string) {
		problem := checkPath(row, shape, path)
		if problem != "" {
			if !utf8.ValidString(problem) && utf8.ValidString(path) {
				t.Fatalf("%q: %q", path, problem)
			}
			return
		}
		value := `{"leaf":1}`
		names := strings.Split(path, ".")
		for i := len(names) - 1; i >= 0; i-- {
			value = `{` + rawjson.Quote(names[i]) + `:` + value + `}`
		}
		if !utf8.ValidString(path) {
			return // no member of a JSON object has such a name
		}
		with := rawjson.WithMember(value, "other "+names[0], "2")
		if got := string(rawjson.Select(path).Append(nil, with)); got != value {
			t.Fatalf("%q of %s is %s", path, with, got)
		}
	})
}
