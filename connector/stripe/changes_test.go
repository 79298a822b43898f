package stripe_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// replica keeps what incremental Reads send, as an orchestrator does.
type replica struct {
	t       *testing.T
	stripe  *stripetest.Server
	source  *stripe.Source
	config  string
	clock   time.Time
	streams []connector.Stream
	keys    map[string][]string
	rows    map[string]map[string]copied // by stream and primary key
	states  map[string]connector.StreamState
}

type copied struct {
	data       map[string]any
	generation int64
}

func newReplica(t *testing.T, o stripetest.Options, streams ...string) *replica {
	t.Helper()
	r := &replica{t: t, clock: now, keys: map[string][]string{}, rows: map[string]map[string]copied{}, states: map[string]connector.StreamState{}}
	o.Now = func() time.Time { return r.clock }
	o.End, o.Start = now.Truncate(24*time.Hour), now.AddDate(-1, 0, 1).Truncate(24*time.Hour)
	r.stripe = stripetest.NewServer(o)
	transport := api.NewTransport()
	t.Cleanup(func() {
		transport.(interface{ CloseIdleConnections() }).CloseIdleConnections()
		r.stripe.Close()
	})
	r.source = stripe.New(stripe.Options{AllowedAPIBases: []string{r.stripe.URL}, Transport: transport, Now: o.Now})
	r.config = fmt.Sprintf(`{"api_key":"sk_test_123","api_base":%q,"max_requests_per_second":10000,"start_date":"2020-01-01"}`, r.stripe.URL)
	catalog, err := r.source.Discover(t.Context(), connector.DiscoverRequest{Config: connector.Config(r.config)})
	if err != nil {
		t.Fatal(err)
	}
	for _, stream := range catalog.Streams {
		for _, name := range streams {
			if stream.Name == name {
				r.streams = append(r.streams, stream)
			}
		}
		if len(streams) == 0 {
			r.streams = append(r.streams, stream)
		}
		r.keys[stream.Name] = stream.PrimaryKey
		r.rows[stream.Name] = map[string]copied{}
	}
	return r
}

// sync reads once and applies what comes, and gives what that was.
func (r *replica) sync() (*recorder, connector.Summary) {
	r.t.Helper()
	req := connector.ReadRequest{Config: connector.Config(r.config)}
	for _, stream := range r.streams {
		req.Streams = append(req.Streams, connector.ConfiguredStream{Stream: stream.Name, SyncMode: connector.Incremental})
		if state, ok := r.states[stream.Name]; ok {
			req.States = append(req.States, state)
		}
	}
	sink := &recorder{}
	summary, err := r.source.Read(r.t.Context(), req, sink)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, m := range sink.messages {
		r.apply(m)
	}
	return sink, summary
}

func (r *replica) apply(m connector.Message) {
	switch m := m.(type) {
	case *connector.RecordBatch:
		for _, record := range m.Records {
			r.applyRecord(m, record)
		}
	case *connector.StateCheckpoint:
		r.states[m.Stream] = m.StreamState
	case *connector.StreamStatus:
		if m.Status != connector.Complete {
			return
		}
		for key, row := range r.rows[m.Stream] {
			if row.generation < m.Generation {
				delete(r.rows[m.Stream], key)
			}
		}
	}
}

func (r *replica) applyRecord(batch *connector.RecordBatch, record connector.Record) {
	var data map[string]any
	if err := json.Unmarshal([]byte(record.Data), &data); err != nil {
		r.t.Fatal(err)
	}
	rows := r.rows[batch.Stream]
	switch record.Operation {
	case connector.Upsert:
		rows[r.key(batch.Stream, data)] = copied{data, batch.Generation}
	case connector.Delete:
		delete(rows, r.key(batch.Stream, data))
	case connector.DeleteMatching:
		for key, row := range rows {
			matches := true
			for field, value := range data {
				matches = matches && cmp.Equal(row.data[field], value)
			}
			if matches {
				delete(rows, key)
			}
		}
	}
}

func (r *replica) key(stream string, data map[string]any) string {
	key := ""
	for _, field := range r.keys[stream] {
		key += fmt.Sprint(data[field], " ")
	}
	return key
}

// expectTruth compares the rows with what Stripe has.
func (r *replica) expectTruth() {
	r.t.Helper()
	for _, stream := range r.streams {
		object, path := path(stream)
		if stream.Name == "events" || stream.Name == "billing_meter_event_summaries" {
			continue // events outlive their objects; and nobody can ask for the summaries of deleted customers
		}
		w := &world{Server: r.stripe}
		truth := w.truth(r.t, path)
		want := map[string][]map[string]any{}
		count := 0
		for id, objects := range truth {
			for _, o := range objects {
				if o["object"] == object {
					want[id] = append(want[id], o)
					count++
				}
			}
		}
		if len(r.rows[stream.Name]) != count {
			r.t.Errorf("%s: %d rows, want %d", stream.Name, len(r.rows[stream.Name]), count)
		}
		for key, row := range r.rows[stream.Name] {
			id, _ := row.data["id"].(string)
			found := false
			for _, o := range want[id] {
				found = found || includes(row.data, o)
			}
			if !found {
				r.t.Errorf("%s: row %s is not the truth: %s", stream.Name, key, cmp.Diff(want[id], row.data))
			}
		}
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (r *replica) ids(path string) []string {
	var ids []string
	for id := range r.stripe.Truth(path) {
		ids = append(ids, id)
	}
	return ids
}

func TestIncrementalReadsYieldTheTruth(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 12}})
	r.sync()
	r.expectTruth()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for round := range 3 {
		r.clock = r.clock.Add(time.Hour)
		create := must[string](t)
		customer := create(r.stripe.Create("/v1/customers"))
		create(r.stripe.Create("/v1/customers/" + customer + "/sources"))
		create(r.stripe.Create("/v1/customers/" + customer + "/tax_ids"))
		invoice := create(r.stripe.Create("/v1/invoices"))
		create(r.stripe.Create("/v1/invoices/" + invoice + "/lines"))
		create(r.stripe.Create("/v1/refunds"))
		create(r.stripe.Create("/v1/files"))
		create(r.stripe.Create("/v1/checkout/sessions"))
		create(r.stripe.Create("/v1/balance_transactions"))
		r.clock = r.clock.Add(time.Minute)
		for _, path := range []string{"/v1/charges", "/v1/customers", "/v1/subscriptions", "/v1/invoices", "/v1/coupons", "/v1/refunds", "/v1/transfers"} {
			ok(r.stripe.Update(r.ids(path)[round]))
			ok(r.stripe.Update(r.ids(path)[round+1]))
			ok(r.stripe.Update(r.ids(path)[round+1]))
		}
		for _, path := range []string{"/v1/customers", "/v1/subscriptions", "/v1/invoices", "/v1/coupons", "/v1/invoices/{invoice}/lines", "/v1/radar/value_lists"} {
			ok(r.stripe.Delete(r.ids(path)[round+2]))
		}
		r.clock = r.clock.Add(time.Minute)
		sink, summary := r.sync()
		for _, s := range summary.Streams {
			if s.Status != connector.Complete {
				t.Errorf("%s is %s: %v", s.Stream, s.Status, s.Failure)
			}
		}
		_ = sink
		r.expectTruth()
		if t.Failed() {
			t.FailNow()
		}
	}
}

func TestIdleReadCostsOneRequest(t *testing.T) {
	r := newReplica(t, stripetest.Options{})
	var events []connector.Stream
	for _, stream := range r.streams {
		if stream.Freshness == connector.ByEvents {
			events = append(events, stream)
		}
	}
	r.streams = events
	r.sync()
	r.clock = r.clock.Add(30 * time.Minute)
	r.stripe.ResetRequests()
	_, summary := r.sync()
	if n := r.stripe.RequestCount(""); n != 1 || summary.Requests != 1 {
		t.Errorf("%d requests: %v", n, r.stripe.Requests())
	}
	r.expectTruth()
}
