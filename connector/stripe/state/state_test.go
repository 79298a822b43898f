package state

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/ledger"
)

var testNow = clock.Of(time.Date(2024, 6, 15, 12, 30, 15, 500, time.UTC))

const (
	behind = `{"version":5,"mode":"test","generation":3,"from":"2024-01-01T00:00:00Z","to":"2024-06-01T00:00:00Z",` +
		`"pass":{"id":"P","sequence":4,"streams":2},"windows":[{"from":"2024-01-01T00:00:00Z","to":"2024-06-01T00:00:00Z","after":"in_4","at":"2024-05-04T00:00:00Z"}],"api_version":"2023-10-16"}`
	ahead = `{"version":5,"mode":"test","generation":2,"from":"2024-01-01T00:00:00Z","to":"2024-06-01T00:00:00Z",` +
		`"pass":{"id":"P","sequence":5,"streams":2},"windows":[{"from":"2024-01-01T00:00:00Z","to":"2024-06-01T00:00:00Z","after":"in_5","at":"2024-05-03T00:00:00Z"}],"api_version":"2026-08-26.dahlia"}`
	finished = `{"version":5,"mode":"test","generation":2,"from":"2024-01-01T00:00:00Z","to":"2024-06-01T00:00:00Z",` +
		`"pass":{"id":"P","sequence":9,"streams":2},"windows":[],"api_version":"2023-10-16"}`
)

func TestParseRejects(t *testing.T) {
	swap := strings.NewReplacer
	tests := map[string]struct{ state, problem string }{
		"not JSON":              {`x`, "is not a state"},
		"a list":                {`[]`, "is not a state"},
		"another version":       {swap(`"version":5`, `"version":6`).Replace(behind), "version 6"},
		"unknown member":        {swap(`"mode"`, `"x":1,"mode"`).Replace(behind), "is damaged"},
		"the future":            {swap(`"to":"2024-06-01T00:00:00Z","pass"`, `"to":"2024-06-16T00:00:00Z","pass"`).Replace(behind), "from the future"},
		"future changes":        {swap(`"windows"`, `"changes":{"from":"2024-06-16T00:00:00Z","until":"2024-06-16T00:00:00Z"},"windows"`).Replace(behind), "from the future"},
		"changes reversed":      {swap(`"windows"`, `"changes":{"from":"2024-06-02T00:00:00Z","until":"2024-06-01T00:00:00Z"},"windows"`).Replace(behind), "changes: ends before it begins"},
		"live data":             {swap(`"test"`, `"live"`).Replace(behind), `"live" data`},
		"no generation":         {swap(`"generation":3`, `"generation":0`).Replace(behind), "generation 0"},
		"a huge generation":     {swap(`"generation":3`, `"generation":9223372036854775807`).Replace(behind), "generation 9223372036854775807"},
		"a long API version":    {swap(`2023-10-16`, strings.Repeat("2", 65)).Replace(behind), "API version has 65"},
		"not a time":            {swap(`"2024-05-04T00:00:00Z"`, `12`).Replace(behind), "not a time"},
		"range reversed":        {swap(`"to":"2024-06-01T00:00:00Z","pass"`, `"to":"2023-06-01T00:00:00Z","pass"`).Replace(behind), "range ends"},
		"window outside":        {swap(`[{"from":"2024-01-01`, `[{"from":"2023-01-01`).Replace(behind), "windows[0]"},
		"cursor outside":        {swap(`2024-05-04`, `2024-06-04`).Replace(behind), "windows[0]"},
		"cursor without object": {swap(`"after":"in_4",`, ``).Replace(behind), "windows[0]"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(json.RawMessage(test.state), "test", testNow)
			if err == nil || !strings.Contains(err.Error(), test.problem) {
				t.Errorf("got %v, want %q", err, test.problem)
			}
		})
	}
}

func TestRoundTrip(t *testing.T) {
	for _, text := range []string{behind, ahead, finished} {
		parsed, err := Parse(json.RawMessage(text), "test", testNow)
		if err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(parsed)
		if err != nil || string(again) != text {
			t.Errorf("got  %s, %v\nwant %s", again, err, text)
		}
	}
}

// TestStatesOfVersion2 parses states written by an earlier release: the events that they list are not applied again.
func TestStatesOfVersion2(t *testing.T) {
	text := strings.Replace(finished, `"version":5`, `"version":2`, 1)
	text = strings.Replace(text, `"windows"`, `"changes":{"from":"2024-06-01T00:00:00Z","until":"2024-06-01T00:05:00Z","seen":["`+hash("evt_1")+`"],"reread":"2024-06-01T00:05:05Z"},"windows"`, 1)
	parsed, err := Parse(json.RawMessage(text), "test", testNow)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // as parsed, and after a round trip
		c := parsed.Changes
		if c.From().String() != "2024-06-01T00:00:00Z" || c.Until().String() != "2024-06-01T00:05:00Z" || c.Reread.Until().String() != "2024-06-01T00:05:05Z" {
			t.Errorf("got %v, %v, %v", c.From(), c.Until(), c.Reread.Until())
		}
		at := int64(c.From()) + 7
		look := ledger.Look{Range: ledger.Range{From: int64(c.From()), Until: int64(c.Until())}, At: int64(c.Until())}
		news := c.Clone().Events.Observe(look, []ledger.Event{{ID: "evt_1", At: at}, {ID: "evt_2", At: at}})
		if news[0] || !news[1] {
			t.Errorf("news: %v, want only the second", news)
		}
		written, err := json.Marshal(parsed)
		if err != nil {
			t.Fatal(err)
		}
		if parsed, err = Parse(written, "test", testNow); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLargestState builds the largest state that doesn't set items aside: an overlap of 300 s with 200 events per second, 64 of
// which are to be applied again, and more re-read objects than the state can name.
func TestLargestState(t *testing.T) {
	const seconds, perSecond, waiting, most = 300, 200, 64, 8 << 10
	c := ChangesFrom(testNow - seconds)
	look := ledger.Look{Range: ledger.Range{From: int64(testNow) - seconds, Until: int64(testNow)}, At: int64(testNow)}
	var events []ledger.Event
	for i := range seconds * perSecond {
		events = append(events, ledger.Event{ID: fmt.Sprint("evt_", i), At: look.From + int64(i/perSecond)})
	}
	c.Events.Observe(look, events)
	for i := range waiting {
		c.Events.Await(events[len(events)/waiting*i], look.At+100)
	}
	c.Events.Advance(look, seconds)
	for i := range 20_000 {
		c.Reread.MarkKey(fmt.Sprint("object ", i), testNow)
	}
	c.Reread.MarkAll(testNow - seconds)
	long := strings.Repeat("x", 32)
	text, err := json.Marshal(State{
		Version: Version, Mode: "live", Generation: maxGeneration, From: testNow - 10*365*clock.Day, To: testNow, Relisting: true, Pending: testNow - clock.Day, Changes: c,
		Pass:  PassID{ID: long, Sequence: 1 << 40, Streams: 100, Since: &PassPoint{ID: long, Sequence: 1 << 40}},
		Owner: Owner{Account: "acct_" + long, Reads: "acct_" + long, Key: "0123456789ab"}, Windows: []Window{},
	})
	if err != nil || len(text) > most {
		t.Fatalf("%d bytes, want at most %d: %v", len(text), most, err)
	}
	if len(text) < most/2 {
		t.Errorf("%d bytes: the state lacks something", len(text))
	}
	parsed, err := Parse(text, "live", testNow)
	if err != nil {
		t.Fatal(err)
	}
	due := 0
	for _, r := range parsed.Changes.Events.Due(look.At + 100) {
		due += int(r.Until - r.From)
	}
	if due != waiting {
		t.Errorf("%d seconds have events that wait, want %d", due, waiting)
	}
}

// hash returns the form in which version 2 stored an event.
func hash(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:6])
}
