package airbyte_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	"github.com/stripe-connector/stripe-connector/connector/stripe/takeover"
	"github.com/stripe-connector/stripe-connector/edge/airbyte"
)

// tester is a *testing.T or a *rapid.T.
type tester interface {
	Context() context.Context
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

const simulated = "http://stripe.test"

// start is when a world begins.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is a simulated Stripe and a connector that reads it.
type world struct {
	tester
	stripe   *stripetest.Stripe
	pageSize int
	config   map[string]any
	offered  map[string]connector.Stream // by the source's name
	names    map[string]string           // the source's names by Airbyte's
	during   map[int]func()              // called after that many requests

	lock     sync.Mutex
	time     time.Time
	requests []string
}

// newWorld returns a world with the given objects. It begins with options' clock at start.
func newWorld(t tester, o stripetest.Options) *world {
	t.Helper()
	w := &world{
		tester: t, pageSize: 100, time: start, offered: map[string]connector.Stream{}, names: map[string]string{},
		config: map[string]any{"client_secret": "sk_test_123", "api_base": simulated, "call_rate_limit": 10_000, "start_date": "2020-01-01T00:00:00Z"},
	}
	o.Now, o.Compact = w.now, true
	o.Start, o.End = start.AddDate(0, 0, -60), start
	o.Observe = func(r stripetest.Request) {
		w.lock.Lock()
		w.requests = append(w.requests, r.URL)
		w.time = w.time.Add(time.Second) // so that states are due between pages
		do := w.during[len(w.requests)]
		w.lock.Unlock()
		if do != nil {
			do()
		}
	}
	w.stripe = stripetest.New(o)
	catalog, err := w.source().Discover(t.Context(), connector.DiscoverRequest{Config: connector.NewConfig(`{"api_key":"sk_test_123"}`)})
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, s := range catalog.Streams {
		w.offered[s.Name] = s
	}
	for _, s := range takeover.NewAirbyte(w.now).Streams() {
		w.names[s.Name] = s.Source
	}
	return w
}

func (w *world) now() time.Time {
	w.lock.Lock()
	defer w.lock.Unlock()
	return w.time
}

func (w *world) wait(d time.Duration) {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.time = w.time.Add(d)
}

func (w *world) source() connector.Source {
	return stripe.New(stripe.Options{
		AllowedAPIBases: []string{simulated}, Transport: inMemory{w.stripe}, Now: w.now, PageSize: w.pageSize,
		Retry: api.Retry{Initial: time.Millisecond, Max: 2 * time.Millisecond, Budget: 5 * time.Second, Attempt: 5 * time.Second},
	})
}

// connector returns the connector, with out as its output.
func (w *world) connector(out io.Writer) *airbyte.Connector {
	dialect := takeover.NewAirbyte(w.now)
	c := &airbyte.Connector{Source: w.source(), Dialect: dialect, Out: out, Now: w.now}
	for _, s := range dialect.Streams() {
		offered := airbyte.Stream{Name: s.Name, Source: s.Source, Key: s.Key, Cursor: s.Cursor}
		for _, column := range s.Columns() {
			offered.Columns = append(offered.Columns, airbyte.Column{Name: column[0], Type: column[1]})
		}
		c.Streams = append(c.Streams, offered)
	}
	return c
}

// configuration returns the content of the file for --config.
func (w *world) configuration() json.RawMessage {
	text, err := json.Marshal(w.config)
	if err != nil {
		w.Fatalf("%v", err)
	}
	return text
}

// discover returns the catalog.
func (w *world) discover() []catalogStream {
	w.Helper()
	var out bytes.Buffer
	if err := w.connector(&out).Discover(w.Context(), w.configuration()); err != nil {
		w.Fatalf("discover: %v: %s", err, &out)
	}
	lines, problems := decode(out.Bytes())
	if len(problems) > 0 || lines[len(lines)-1].Type != "CATALOG" {
		w.Fatalf("discover: %v", problems)
	}
	return lines[len(lines)-1].Catalog.Streams
}

// configured returns a configured catalog of the named streams; all if there are no names.
func configured(catalog []catalogStream, mode string, names ...string) json.RawMessage {
	var streams []any
	for _, s := range catalog {
		if len(names) > 0 && !slices.Contains(names, s.Name) {
			continue
		}
		with := mode
		if !slices.Contains(s.Modes, mode) {
			with = "full_refresh"
		}
		streams = append(streams, map[string]any{"stream": s, "sync_mode": with, "destination_sync_mode": "append_dedup"})
	}
	text, err := json.Marshal(map[string]any{"streams": streams})
	if err != nil {
		panic(err)
	}
	return text
}

// selectedNames returns the names of the streams of a configured catalog.
func selectedNames(catalog json.RawMessage) (names []string) {
	var c struct {
		Streams []struct{ Stream struct{ Name string } }
	}
	if err := json.Unmarshal(catalog, &c); err != nil {
		panic(err)
	}
	for _, s := range c.Streams {
		names = append(names, s.Stream.Name)
	}
	return names
}

var errKilled = errors.New("the output is closed")

// pipe is an output that is closed after a number of lines; never if that is negative.
type pipe struct {
	bytes.Buffer
	lines int
}

func (p *pipe) Write(text []byte) (int, error) {
	for i, part := range bytes.SplitAfter(text, []byte("\n")) {
		if p.lines == 0 && len(part) > 0 {
			return i, errKilled
		}
		p.Buffer.Write(part)
		if len(part) > 0 {
			p.lines--
		}
	}
	return len(text), nil
}

// read reads, and returns the messages and the error of the command. The output is closed after a number of lines, unless
// that is negative.
func (w *world) read(catalog, state json.RawMessage, lines int) ([]line, error) {
	w.Helper()
	w.lock.Lock()
	w.requests = nil
	w.time = w.time.Add(time.Millisecond) // no two Reads start at the same time
	w.lock.Unlock()
	out := &pipe{lines: lines}
	err := w.connector(out).Read(w.Context(), w.configuration(), catalog, state)
	decoded, problems := decode(out.Bytes())
	problems = append(problems, judge(decoded, selectedNames(catalog), !errors.Is(err, errKilled))...)
	if len(problems) > 0 {
		w.Fatalf("%s\n%.6000s", strings.Join(problems[:min(len(problems), 8)], "\n"), out.String())
	}
	return decoded, err
}

// sync reads completely and loads the result.
func (w *world) sync(d *destination, catalog json.RawMessage) []line {
	w.Helper()
	lines, err := w.read(catalog, d.state(), -1)
	if err != nil {
		w.Fatalf("read: %v", err)
	}
	d.load(lines)
	return lines
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// truth returns the objects that a stream should have, by id.
func (w *world) truth(name string) map[string]map[string]any {
	stream := w.offered[w.names[name]]
	words := strings.Fields(strings.TrimSuffix(stream.Description, "."))
	object, path := words[1], words[len(words)-1]
	anyName := func(path string) string { return parameter.ReplaceAllString(path, "{}") }
	rows := map[string]map[string]any{}
	for _, known := range w.stripe.Paths() {
		if anyName(known) != anyName(path) {
			continue
		}
		for id, raw := range w.stripe.Truth(known) {
			var row map[string]any
			if err := json.Unmarshal(raw, &row); err != nil {
				w.Fatalf("%v", err)
			}
			paid := stream.Name != "payout_transactions" || slices.Contains(w.stripe.PaidOut(w.stripe.Relation(id, "payout")), id)
			if row["object"] == object && paid {
				rows[id] = row
			}
		}
	}
	return rows
}

// difference returns how the rows of streams differ from the truth. Rows of objects that no longer exist may remain if spared
// returns true.
func (w *world) difference(d *destination, names []string, spared func(stream, id string) bool) (wrong []string) {
	wrong = append(wrong, d.wrong...)
	for _, name := range names {
		truth, rows := w.truth(name), d.rows[name]
		for _, id := range slices.Sorted(maps.Keys(truth)) {
			row, ok := rows[id]
			canceled := truth[id]["status"] == "canceled" && name == "subscriptions"
			switch {
			case !ok:
				wrong = append(wrong, fmt.Sprintf("%s %s is missing", name, id))
				continue
			case row.deleted != canceled && !row.theirs:
				wrong = append(wrong, fmt.Sprintf("%s %s: is_deleted is %v", name, id, row.deleted))
			}
			var got map[string]any
			if err := json.Unmarshal([]byte(row.data), &got); err != nil {
				w.Fatalf("%v", err)
			}
			for field, value := range truth[id] {
				if value != nil && field != "updated" && !cmp.Equal(got[field], value) {
					wrong = append(wrong, fmt.Sprintf("%s %s has %s %v, want %v", name, id, field, got[field], value))
				}
			}
		}
		for _, id := range slices.Sorted(maps.Keys(rows)) {
			if truth[id] == nil && !rows[id].deleted && (spared == nil || !spared(name, id)) {
				wrong = append(wrong, fmt.Sprintf("%s %s was deleted, and its row says nothing", name, id))
			}
		}
	}
	return wrong
}

// expect fails if the rows of streams differ from the truth.
func (w *world) expect(d *destination, names []string, spared func(stream, id string) bool) {
	w.Helper()
	if wrong := w.difference(d, names, spared); len(wrong) > 0 {
		w.Fatalf("%.4000s", strings.Join(wrong[:min(len(wrong), 8)], "\n"))
	}
}

// logged returns the messages of LOG lines of a level.
func logged(lines []line, level string) string {
	var all []string
	for _, l := range lines {
		if l.Type == "LOG" && l.Log.Level == level {
			all = append(all, l.Log.Message)
		}
	}
	return strings.Join(all, "\n")
}

// ends returns the last status of each stream.
func ends(lines []line) map[string]string {
	all := map[string]string{}
	for _, l := range lines {
		if l.Trace.Type == "STREAM_STATUS" {
			all[l.Trace.StreamStatus.Descriptor.Name] = l.Trace.StreamStatus.Status
		}
	}
	return all
}

// failures returns the TRACE ERRORs, as "stream type".
func failures(lines []line) (all []string) {
	for _, l := range lines {
		if l.Trace.Type == "ERROR" {
			all = append(all, strings.TrimSpace(l.Trace.Error.Descriptor.Name+" "+l.Trace.Error.FailureType))
		}
	}
	return all
}

// inMemory passes requests directly to a handler.
type inMemory struct{ handler http.Handler }

// RoundTrip responds as a server would, including with broken connections.
func (m inMemory) RoundTrip(request *http.Request) (*http.Response, error) {
	if err := request.Context().Err(); err != nil {
		return nil, err
	}
	recorder := httptest.NewRecorder()
	m.handler.ServeHTTP(recorder, request)
	response := recorder.Result()
	response.Request = request
	return response, nil
}
