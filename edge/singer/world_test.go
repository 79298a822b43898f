package singer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	"github.com/stripe-connector/stripe-connector/connector/stripe/takeover"
	"github.com/stripe-connector/stripe-connector/edge/singer"
)

// now is when the tests begin, by the simulated Stripe's clock.
var now = time.Date(2024, 6, 15, 12, 0, 0, 0, time.UTC)

const simulated = "http://stripe.test"

// world is a simulated Stripe, and the tap that reads it.
type world struct {
	stripe *stripetest.Stripe
	config map[string]any
	// choose changes the catalog before a run.
	catalog []byte
	log     bytes.Buffer
	state   json.RawMessage // for the next run; nil if there is none

	mu   sync.Mutex
	time time.Time
}

// newWorld returns a world whose catalog selects the named streams, or those of the tap if there are none.
func newWorld(t *testing.T, o stripetest.Options, streams ...string) *world {
	t.Helper()
	w := &world{time: now, config: map[string]any{
		"client_secret": "sk_test_123", "start_date": "2020-01-01T00:00:00Z", "api_base": simulated, "max_requests_per_second": "10000",
	}}
	o.Now, o.Compact = w.now, true
	if o.Start.IsZero() {
		o.End, o.Start = now, now.AddDate(0, 0, -40)
	}
	w.stripe = stripetest.New(o)
	t.Cleanup(func() {
		w.stripe.Close()
		for _, violation := range w.stripe.Violations() {
			t.Errorf("the simulated Stripe says: %s", violation)
		}
	})
	w.selectOnly(streams...)
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.time
}

func (w *world) wait(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.time = w.time.Add(d)
}

// entry is a stream of a catalog.
type entry struct {
	ID       string `json:"tap_stream_id"`
	Metadata []meta `json:"metadata"`
}

type meta struct {
	Breadcrumb []string       `json:"breadcrumb"`
	Metadata   map[string]any `json:"metadata"`
}

// selectOnly makes the catalog select these streams, or those of the tap if there are none.
func (w *world) selectOnly(names ...string) {
	tap, _, err := takeover.NewSinger(w.configText(), w.now())
	if err != nil {
		panic(err)
	}
	if len(names) == 0 {
		for _, s := range tap.Streams() {
			if s.Default {
				names = append(names, s.Name)
			}
		}
	}
	var entries []entry
	for _, name := range names {
		entries = append(entries, entry{name, []meta{{[]string{}, map[string]any{"selected": true}}}})
	}
	w.setCatalog(entries)
}

func (w *world) setCatalog(entries []entry) {
	text, err := json.Marshal(map[string]any{"streams": entries})
	if err != nil {
		panic(err)
	}
	w.catalog = text
}

func (w *world) configText() []byte {
	text, err := json.Marshal(w.config)
	if err != nil {
		panic(err)
	}
	return text
}

// call runs the tap once, and writes its messages to out.
func (w *world) call(ctx context.Context, out io.Writer, call singer.Call) error {
	tap, config, err := takeover.NewSinger(w.configText(), w.now())
	if err != nil {
		return err
	}
	r := &singer.Runner{
		Source: stripe.New(stripe.Options{
			AllowedAPIBases: []string{simulated}, Transport: inMemory{w.stripe}, Now: w.now,
			Retry: api.Retry{Initial: time.Millisecond, Max: 2 * time.Millisecond, Budget: 2 * time.Second, Attempt: 2 * time.Second},
		}),
		Tap: tap, Stdout: out, Log: singer.NewLog(&w.log),
	}
	for _, s := range tap.Streams() {
		r.Streams = append(r.Streams, singer.Stream(s))
	}
	call.Config = config
	return r.Run(ctx, call)
}

// run runs the tap into a target, which keeps the state for the next run.
func (w *world) run(t *testing.T, into *target) {
	t.Helper()
	before := into.records
	if err := w.call(t.Context(), into, singer.Call{Catalog: w.catalog, State: w.state}); err != nil {
		t.Fatalf("%v\n%s", err, w.log.String())
	}
	if into.last != "STATE" {
		t.Errorf("the last message is %s after %d records", into.last, into.records-before)
	}
	w.state = into.state
}

// check reports what was wrong with the messages.
func (into *target) check(t *testing.T) {
	t.Helper()
	for _, wrong := range into.wrong[:min(len(into.wrong), 10)] {
		t.Error(wrong)
	}
}

// inMemory passes requests to a handler.
type inMemory struct{ handler http.Handler }

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

// lines returns the lines of a text, with their line breaks.
func lines(text []byte) [][]byte {
	var all [][]byte
	for line := range bytes.Lines(text) {
		all = append(all, line)
	}
	return all
}

// fails runs the tap, and checks that it fails with a message that contains want, without printing a message.
func (w *world) fails(t *testing.T, call singer.Call, want string) {
	t.Helper()
	var out bytes.Buffer
	err := w.call(t.Context(), &out, call)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want an error with %q", err, want)
	}
	if strings.Contains(fmt.Sprint(err), "sk_test_123") {
		t.Errorf("the key is in the error: %v", err)
	}
	if out.Len() > 0 {
		t.Errorf("it printed %.200s", out.String())
	}
}

var errClosed = errors.New("broken pipe")
