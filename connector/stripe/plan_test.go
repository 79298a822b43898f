package stripe

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

func TestEveryRowIsWhole(t *testing.T) {
	source := testSource()
	seen := map[string]bool{}
	for i, row := range source.streams {
		if seen[row.Name] {
			t.Errorf("%s is there twice", row.Name)
		}
		seen[row.Name] = true
		if i > 0 && source.streams[i-1].Name > row.Name {
			t.Errorf("%s is not in alphabetical order", row.Name)
		}
		if _, ok := schema.Lookup(row.Object); !ok {
			t.Errorf("%s: no schema of %q", row.Name, row.Object)
		}
		if row.Doc == "" {
			t.Errorf("%s names no documentation", row.Name)
		}
		for _, field := range append(row.primaryKey(), row.Cursor) {
			if problem := checkPath(&row, source.streams.properties(&row), field); field != "" && problem != "" {
				t.Errorf("%s: %s", row.Name, problem)
			}
		}
		if row.Parent == "" {
			if n := len(source.streams.objects(&row)); n != 1 {
				t.Errorf("%s shares its endpoint with %d others", row.Name, n-1)
			}
			continue
		}
		parent := source.streams.find(row.Parent)
		if parent == nil {
			t.Errorf("%s: no parent %q", row.Name, row.Parent)
			continue
		}
		for _, path := range slices.Concat([]string{row.Embedded, row.Needs}, slices.Collect(maps.Values(row.ParentParams))) {
			if problem := checkPath(parent, source.streams.properties(parent), path); path != "" && problem != "" {
				t.Errorf("%s: %s", row.Name, problem)
			}
		}
		if !strings.Contains(row.Path, "{parent}") && len(row.ParentParams) == 0 {
			t.Errorf("%s does not name its parent in its requests", row.Name)
		}
		if row.Expand && row.Embedded == "" || (row.Across == "") != (row.AcrossField == "") {
			t.Errorf("%s is half a row", row.Name)
		}
	}
}

func TestCheckPath(t *testing.T) {
	tests := map[string]struct{ stream, path, problem string }{
		"plain":               {"charges", "amount", ""},
		"nested":              {"charges", "billing_details.address.city", ""},
		"metadata":            {"charges", "metadata.anything", ""},
		"expandable":          {"charges", "customer.email", ""},
		"embedded list":       {"invoices", "lines.data.amount", ""},
		"through an array":    {"invoices", "total_discount_amounts.amount", ""},
		"open object":         {"events", "data.object.id", ""},
		"misspelt":            {"charges", "amuont", `charges has no field "amuont". Did you mean "amount"?`},
		"misspelt, nested":    {"charges", "billing_details.emial", `charges.billing_details has no field "emial". Did you mean "email"?`},
		"below a plain field": {"charges", "amount.cents", `charges.amount has no fields below it`},
		"empty":               {"charges", "", `has no field ""`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			source := testSource()
			row := source.streams.find(test.stream)
			got := checkPath(row, source.streams.properties(row), test.path)
			if test.problem == "" && got != "" || !strings.Contains(got, test.problem) {
				t.Errorf("got %q, want %q", got, test.problem)
			}
		})
	}
}

func configured(names ...string) []connector.ConfiguredStream {
	streams := make([]connector.ConfiguredStream, len(names))
	for i, name := range names {
		streams[i] = connector.ConfiguredStream{Stream: name}
	}
	return streams
}

func testConfig(t *testing.T) config {
	t.Helper()
	c, err := testSource().parseConfig(connector.Config(`{"api_key":"rk_test_1","start_date":"2024-01-01"}`))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// summarize tells of each pass which streams it reads, with their generations, and which windows.
func summarize(passes []*pass) []any {
	var all []any
	for _, p := range passes {
		streams := map[string]int64{}
		for _, out := range p.outputs {
			streams[out.stream.Name] = out.generation
		}
		windows, _ := json.Marshal(p.state(p.outputs[0], "test").Windows)
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
	fresh        = 1718454615000 // the generation of what begins at the end of whole
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
			passes, _, err := testSource().plan(testConfig(t), req, new(sync.Mutex))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, summarize(passes)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A pass names the point that it goes on from only while all of its streams go on together: else those left out would
// seem to be in step.
func TestPlanNamesThePointThatAllGoOnFrom(t *testing.T) {
	states := []connector.StreamState{
		{Stream: "invoices", State: json.RawMessage(behind)},
		{Stream: "invoice_line_items", State: json.RawMessage(behind)},
	}
	both, _, err := testSource().plan(testConfig(t), connector.ReadRequest{Streams: configured("invoices", "invoice_line_items"), States: states}, new(sync.Mutex))
	if err != nil {
		t.Fatal(err)
	}
	one, _, err := testSource().plan(testConfig(t), connector.ReadRequest{Streams: configured("invoices"), States: states[:1]}, new(sync.Mutex))
	if err != nil {
		t.Fatal(err)
	}
	if got := both[0].id; got.ID == "P" || got.Sequence != 0 || got.Streams != 2 || got.Since == nil || *got.Since != (passPoint{"P", 4}) {
		t.Errorf("together: %+v", got)
	}
	if got := one[0].id; got.ID == "P" || got.Sequence != 0 || got.Streams != 1 || got.Since != nil {
		t.Errorf("alone: %+v", got)
	}
}

func TestPlanRefuses(t *testing.T) {
	state := func(stream, state string) connector.StreamState {
		return connector.StreamState{Stream: stream, State: json.RawMessage(state)}
	}
	tests := map[string]struct {
		req    connector.ReadRequest
		fields map[string]string
	}{
		"nothing":                  {connector.ReadRequest{}, map[string]string{"streams": "is empty"}},
		"unknown stream":           {connector.ReadRequest{Streams: configured("charges", "chargse")}, map[string]string{"streams[1].stream": `Did you mean "charges"?`}},
		"twice":                    {connector.ReadRequest{Streams: configured("charges", "charges")}, map[string]string{"streams[1].stream": "second time"}},
		"unknown field":            {connector.ReadRequest{Streams: []connector.ConfiguredStream{{Stream: "charges", Fields: []string{"id", "amuont"}}}}, map[string]string{"streams[0].fields[1]": `Did you mean "amount"?`}},
		"unselected state":         {connector.ReadRequest{Streams: configured("charges"), States: []connector.StreamState{state("invoices", behind)}}, map[string]string{"states[0].stream": "not among the streams"}},
		"state twice":              {connector.ReadRequest{Streams: configured("invoices"), States: []connector.StreamState{state("invoices", behind), state("invoices", ahead)}}, map[string]string{"states[1].stream": "second time"}},
		"state of another account": {connector.ReadRequest{Streams: configured("invoices"), States: []connector.StreamState{{Stream: "invoices", Account: "acct_1", State: json.RawMessage(behind)}}}, map[string]string{"states[0].account": "acct_1"}},
		"follow to an end": {connector.ReadRequest{Follow: true, Streams: configured("x", "charges")},
			map[string]string{"streams[0].stream": "no stream", "streams[1].sync_mode": "FULL_REFRESH"}},
		"all at once": {connector.ReadRequest{Streams: configured("x", "charges"), States: []connector.StreamState{state("y", "{}"), state("charges", "{}")}},
			map[string]string{"streams[0].stream": "no stream", "states[0].stream": "not among", "states[1].content": "version 0"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := testSource().plan(testConfig(t), test.req, new(sync.Mutex))
			failure, ok := errors.AsType[*connector.Failure](err)
			if !ok || failure.Class != connector.ConfigError {
				t.Fatalf("got %v", err)
			}
			expectViolations(t, failure, test.fields)
		})
	}
}

func TestParseStateRefuses(t *testing.T) {
	swap := strings.NewReplacer
	tests := map[string]struct{ state, problem string }{
		"no JSON":           {`x`, "is not a state"},
		"a list":            {`[]`, "is not a state"},
		"another version":   {swap(`"version":2`, `"version":3`).Replace(behind), "version 3"},
		"unknown member":    {swap(`"mode"`, `"x":1,"mode"`).Replace(behind), "is damaged"},
		"the future":        {swap(`"to":"2024-06-01T00:00:00Z","pass"`, `"to":"2024-06-16T00:00:00Z","pass"`).Replace(behind), "from the future"},
		"future changes":    {swap(`"windows"`, `"changes":{"from":"2024-06-16T00:00:00Z","until":"2024-06-16T00:00:00Z"},"windows"`).Replace(behind), "from the future"},
		"changes reversed":  {swap(`"windows"`, `"changes":{"from":"2024-06-02T00:00:00Z","until":"2024-06-01T00:00:00Z"},"windows"`).Replace(behind), "changes end"},
		"live data":         {swap(`"test"`, `"live"`).Replace(behind), `"live" data`},
		"no generation":     {swap(`"generation":3`, `"generation":0`).Replace(behind), "generation 0"},
		"a huge generation": {swap(`"generation":3`, `"generation":9223372036854775807`).Replace(behind), "generation 9223372036854775807"},
		"not a time":        {swap(`"2024-05-04T00:00:00Z"`, `12`).Replace(behind), "not a time"},
		"range reversed":    {swap(`"to":"2024-06-01T00:00:00Z","pass"`, `"to":"2023-06-01T00:00:00Z","pass"`).Replace(behind), "range ends"},
		"window outside":    {swap(`[{"from":"2024-01-01`, `[{"from":"2023-01-01`).Replace(behind), "windows[0]"},
		"cursor outside":    {swap(`2024-05-04`, `2024-06-04`).Replace(behind), "windows[0]"},
		"cursor of nothing": {swap(`"after":"in_4",`, ``).Replace(behind), "windows[0]"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := parseState(json.RawMessage(test.state), "test", second(testNow.Unix()))
			if err == nil || !strings.Contains(err.Error(), test.problem) {
				t.Errorf("got %v, want %q", err, test.problem)
			}
		})
	}
}

func TestStatesSurviveARoundTrip(t *testing.T) {
	for _, text := range []string{behind, ahead, finished} {
		parsed, err := parseState(json.RawMessage(text), "test", second(testNow.Unix()))
		if err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(parsed)
		if err != nil || string(again) != text {
			t.Errorf("got  %s, %v\nwant %s", again, err, text)
		}
	}
}
