package plan

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/config"
	"github.com/stripe-connector/stripe-connector/connector/stripe/internal/refusal"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

var testNow = time.Date(2024, 6, 15, 12, 30, 15, 500, time.UTC)

func configured(names ...string) []connector.ConfiguredStream {
	streams := make([]connector.ConfiguredStream, len(names))
	for i, name := range names {
		streams[i] = connector.ConfiguredStream{Stream: name}
	}
	return streams
}

func testConfig(t *testing.T) config.Config {
	t.Helper()
	c, err := config.Parse(connector.NewConfig(`{"api_key":"rk_test_1","start_date":"2024-01-01"}`), nil, testNow)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// summarize returns each part's streams, with their generations, and its windows.
func summarize(parts []Part) []any {
	var all []any
	for _, p := range parts {
		streams := map[string]int64{}
		for _, s := range p.Streams {
			streams[s.Row.Name] = s.Generation
		}
		windows, _ := json.Marshal(p.Windows)
		all = append(all, streams, string(windows))
	}
	return all
}

const (
	whole  = `[{"from":"2024-01-01T00:00:00Z","to":"2024-06-15T12:30:15Z"}]`
	behind = `{"version":2,"mode":"test","generation":3,"from":"2024-01-01T00:00:00Z","to":"2024-06-01T00:00:00Z",` +
		`"pass":{"id":"P","sequence":4,"streams":2},"windows":[{"from":"2024-01-01T00:00:00Z","to":"2024-06-01T00:00:00Z","after":"in_4","at":"2024-05-04T00:00:00Z"}]}`
	ahead = `{"version":2,"mode":"test","generation":2,"from":"2024-01-01T00:00:00Z","to":"2024-06-01T00:00:00Z",` +
		`"pass":{"id":"P","sequence":5,"streams":2},"windows":[{"from":"2024-01-01T00:00:00Z","to":"2024-06-01T00:00:00Z","after":"in_5","at":"2024-05-03T00:00:00Z"}]}`
	finished = `{"version":2,"mode":"test","generation":2,"from":"2024-01-01T00:00:00Z","to":"2024-06-01T00:00:00Z",` +
		`"pass":{"id":"P","sequence":9,"streams":2},"windows":[]}`
	fresh        = 1718454615000 // the generation of a stream that starts from the beginning at the end of whole
	windowBehind = `[{"from":"2024-01-01T00:00:00Z","to":"2024-06-01T00:00:00Z","after":"in_4","at":"2024-05-04T00:00:00Z"}]`
)

func TestPlan(t *testing.T) {
	type streams = map[string]int64
	tests := map[string]struct {
		select_ []string
		states  map[string]string
		want    []any
	}{
		"one":                         {[]string{"charges"}, nil, []any{streams{"charges": fresh}, whole}},
		"two endpoints":               {[]string{"charges", "refunds"}, nil, []any{streams{"charges": fresh}, whole, streams{"refunds": fresh}, whole}},
		"a child with its parent":     {[]string{"invoice_line_items", "invoices"}, nil, []any{streams{"invoices": fresh, "invoice_line_items": fresh}, whole}},
		"a child alone":               {[]string{"subscription_items"}, nil, []any{streams{"subscription_items": fresh}, whole}},
		"events reach back 30 days":   {[]string{"events"}, nil, []any{streams{"events": 1}, `[{"from":"2024-05-16T12:30:15Z","to":"2024-06-15T12:30:15Z"}]`}},
		"a complete state":            {[]string{"invoices"}, map[string]string{"invoices": finished}, []any{streams{"invoices": fresh}, whole}},
		"a state with work left":      {[]string{"invoices"}, map[string]string{"invoices": behind}, []any{streams{"invoices": 3}, windowBehind}},
		"states of different moments": {[]string{"invoices", "invoice_line_items"}, map[string]string{"invoices": ahead, "invoice_line_items": behind}, []any{streams{"invoices": 2, "invoice_line_items": 3}, windowBehind}},
		"a child that was added":      {[]string{"invoices", "invoice_line_items"}, map[string]string{"invoices": behind}, []any{streams{"invoices": 3}, windowBehind, streams{"invoice_line_items": fresh}, whole}},
		"of different passes": {[]string{"invoices", "invoice_line_items"}, map[string]string{"invoices": behind, "invoice_line_items": strings.ReplaceAll(behind, `"id":"P"`, `"id":"Q"`)},
			[]any{streams{"invoices": 3}, windowBehind, streams{"invoice_line_items": 3}, windowBehind}},
		"an earlier start date": {[]string{"invoices"}, map[string]string{"invoices": strings.ReplaceAll(behind, "2024-01-01", "2024-02-01")},
			[]any{streams{"invoices": 3}, `[{"from":"2024-02-01T00:00:00Z","to":"2024-06-01T00:00:00Z","after":"in_4","at":"2024-05-04T00:00:00Z"},{"from":"2024-01-01T00:00:00Z","to":"2024-02-01T00:00:00Z"}]`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			req := connector.ReadRequest{Streams: configured(test.select_...)}
			for stream, state := range test.states {
				req.States = append(req.States, connector.StreamState{Stream: stream, State: json.RawMessage(state)})
			}
			planned, err := Make(table.Streams(schema.Oldest()), testConfig(t), req, testNow)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, summarize(planned.Parts)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A pass names the point that it resumes from only if all of its streams continue together. Otherwise, the streams that do not
// continue would appear to be in step.
func TestPlanSince(t *testing.T) {
	states := []connector.StreamState{
		{Stream: "invoices", State: json.RawMessage(behind)},
		{Stream: "invoice_line_items", State: json.RawMessage(behind)},
	}
	both, err := Make(table.Streams(schema.Oldest()), testConfig(t), connector.ReadRequest{Streams: configured("invoices", "invoice_line_items"), States: states}, testNow)
	if err != nil {
		t.Fatal(err)
	}
	one, err := Make(table.Streams(schema.Oldest()), testConfig(t), connector.ReadRequest{Streams: configured("invoices"), States: states[:1]}, testNow)
	if err != nil {
		t.Fatal(err)
	}
	if got := both.Parts[0].ID; got.ID == "P" || got.Sequence != 0 || got.Streams != 2 || got.Since == nil || *got.Since != (state.PassPoint{ID: "P", Sequence: 4}) {
		t.Errorf("together: %+v", got)
	}
	if got := one.Parts[0].ID; got.ID == "P" || got.Sequence != 0 || got.Streams != 1 || got.Since != nil {
		t.Errorf("alone: %+v", got)
	}
}

func TestPlanRefuses(t *testing.T) {
	at := func(stream, state string) connector.StreamState {
		return connector.StreamState{Stream: stream, State: json.RawMessage(state)}
	}
	tests := map[string]struct {
		req    connector.ReadRequest
		fields map[string]string
	}{
		"nothing":                  {connector.ReadRequest{}, map[string]string{"streams": "is empty"}},
		"unknown stream":           {connector.ReadRequest{Streams: configured("charges", "chargse")}, map[string]string{"streams[1].stream": `Did you mean "charges"?`}},
		"twice":                    {connector.ReadRequest{Streams: configured("charges", "charges")}, map[string]string{"streams[1].stream": "more than once"}},
		"unknown field":            {connector.ReadRequest{Streams: []connector.ConfiguredStream{{Stream: "charges", Fields: []string{"id", "amuont"}}}}, map[string]string{"streams[0].fields[1]": `Did you mean "amount"?`}},
		"unselected state":         {connector.ReadRequest{Streams: configured("charges"), States: []connector.StreamState{at("invoices", behind)}}, map[string]string{"states[0].stream": "not among the streams"}},
		"state twice":              {connector.ReadRequest{Streams: configured("invoices"), States: []connector.StreamState{at("invoices", behind), at("invoices", ahead)}}, map[string]string{"states[1].stream": "more than once"}},
		"state of another account": {connector.ReadRequest{Streams: configured("invoices"), States: []connector.StreamState{{Stream: "invoices", Account: "acct_1", State: json.RawMessage(behind)}}}, map[string]string{"states[0].account": "acct_1"}},
		"follow to an end": {connector.ReadRequest{Follow: true, Streams: configured("x", "charges")},
			map[string]string{"streams[0].stream": "not a stream", "streams[1].sync_mode": "FULL_REFRESH"}},
		"all at once": {connector.ReadRequest{Streams: configured("x", "charges"), States: []connector.StreamState{at("y", "{}"), at("charges", "{}")}},
			map[string]string{"streams[0].stream": "not a stream", "states[0].stream": "not among", "states[1].content": "version 0"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Make(table.Streams(schema.Oldest()), testConfig(t), test.req, testNow)
			refusal.Expect(t, err, test.fields)
		})
	}
}

// TestNewerStatesAreRetried checks that a state that a newer release wrote fails the request in a way that is retried, as a rolling
// update needs, unless the request is invalid anyway.
func TestNewerStatesAreRetried(t *testing.T) {
	newer := strings.Replace(behind, `"version":2`, `"version":1000,"news":{}`, 1)
	plan := func(states ...connector.StreamState) error {
		_, err := Make(table.Streams(schema.Oldest()), testConfig(t), connector.ReadRequest{Streams: configured("invoices", "charges"), States: states}, testNow)
		return err
	}
	f, ok := connector.FailureIn(plan(connector.StreamState{Stream: "invoices", State: []byte(newer)}))
	if !ok || f.Class != connector.Transient || !f.Retryable || f.RetryAfter == 0 || f.Stream != "invoices" || !strings.Contains(f.Message, "has version 1000") {
		t.Errorf("a newer state: got %+v", f)
	}
	f, ok = connector.FailureIn(plan(connector.StreamState{Stream: "invoices", State: []byte(newer)}, connector.StreamState{Stream: "charges", State: []byte("{}")}))
	if !ok || f.Class != connector.ConfigError || !strings.Contains(f.Message, "states[1]") {
		t.Errorf("and an invalid one: got %+v", f)
	}
}
