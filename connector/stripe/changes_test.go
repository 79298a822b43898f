package stripe_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// replica stores what incremental Reads send, as an orchestrator does.
type replica struct {
	t       *testing.T
	stripe  *stripetest.Server
	source  *stripe.Source
	restart func() // replaces the source, like a restart of the process
	config  string
	clock   time.Time     // Stripe's time
	skew    time.Duration // how far the local clock is ahead
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
	r.restart = func() {
		r.source = stripe.New(stripe.Options{AllowedAPIBases: []string{r.stripe.URL}, Transport: transport, Now: func() time.Time { return r.clock.Add(r.skew) }})
	}
	r.restart()
	r.config = fmt.Sprintf(`{"api_key":"sk_test_123","api_base":%q,"max_requests_per_second":10000,"start_date":"2020-01-01"}`, r.stripe.URL)
	catalog, err := r.source.Discover(t.Context(), connector.DiscoverRequest{Config: connector.NewConfig(r.config)})
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

// sync reads once, applies what is received, and returns it.
func (r *replica) sync(options ...func(*connector.ReadRequest)) (*recorder, connector.Summary) {
	r.t.Helper()
	req := connector.ReadRequest{Config: connector.NewConfig(r.config)}
	for _, stream := range r.streams {
		req.Streams = append(req.Streams, connector.ConfiguredStream{Stream: stream.Name, SyncMode: connector.Incremental})
		if state, ok := r.states[stream.Name]; ok {
			req.States = append(req.States, state)
		}
	}
	for _, option := range options {
		option(&req)
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

// expectTruth compares the rows with Stripe's objects.
func (r *replica) expectTruth() {
	r.t.Helper()
	for _, stream := range r.streams {
		object, path := path(stream)
		if stream.Name == "events" || stream.Name == "billing_meter_event_summaries" {
			continue // events outlive their objects, and the summaries of deleted customers can't be requested
		}
		w := &world{Server: r.stripe}
		truth := w.truth(r.t, path, included(stream.Name)...)
		want := map[string][]map[string]any{}
		count := 0
		for id, objects := range truth {
			for _, o := range objects {
				if o["object"] != object || !lists(r.stripe.Account, stream, id) {
					continue
				}
				for _, row := range held(stream, o) {
					want[id] = append(want[id], row)
					count++
				}
			}
		}
		if len(r.rows[stream.Name]) != count {
			r.t.Errorf("%s: %d rows, want %d", stream.Name, len(r.rows[stream.Name]), count)
		}
		for key, row := range r.rows[stream.Name] {
			id, named := row.data["id"].(string)
			found := false
			for at, objects := range want {
				found = found || (at == id || !named) && slices.ContainsFunc(objects, func(o map[string]any) bool { return includes(row.data, o) })
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
			ok(t, r.stripe.Update(r.ids(path)[round]))
			ok(t, r.stripe.Update(r.ids(path)[round+1]))
			ok(t, r.stripe.Update(r.ids(path)[round+1]))
		}
		for _, path := range []string{"/v1/customers", "/v1/subscriptions", "/v1/invoices", "/v1/coupons", "/v1/invoices/{invoice}/lines", "/v1/radar/value_lists"} {
			ok(t, r.stripe.Delete(r.ids(path)[round+2]))
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

// configure adds a member to the configuration.
func (r *replica) configure(name, value string) {
	r.config = strings.TrimSuffix(r.config, "}") + fmt.Sprintf(`,%q:%s}`, name, value)
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestPayloadOrReread(t *testing.T) {
	tests := map[string]struct {
		options stripetest.Options
		mode    string
		again   int // requests besides the one for events
	}{
		"the pinned version": {mode: `"auto"`, again: 0},
		"another version":    {options: stripetest.Options{OldEvents: 1}, mode: `"auto"`, again: 3},
		"always reread":      {mode: `"reread"`, again: 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newReplica(t, test.options, "charges")
			r.configure("update_mode", test.mode)
			r.sync()
			for i := range 3 {
				r.clock = r.clock.Add(time.Minute)
				ok(t, r.stripe.Update(r.ids("/v1/charges")[i]))
				ok(t, r.stripe.Update(r.ids("/v1/charges")[0]))
				r.clock = r.clock.Add(time.Minute)
				ok(t, r.stripe.Update(r.ids("/v1/charges")[i]))
			}
			r.clock = r.clock.Add(time.Minute)
			r.stripe.ResetRequests()
			r.sync()
			if n := r.stripe.RequestCount("/v1/charges/{id}"); n != test.again || r.stripe.RequestCount("") != n+1 {
				t.Errorf("%d objects re-read, want %d: %v", n, test.again, r.stripe.Requests())
			}
			r.expectTruth()
		})
	}
}

func TestAwayForTooLong(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 10}}, "coupons", "events", "radar_value_lists")
	r.sync()
	before := len(r.rows["events"])
	ok(t, r.stripe.Delete(r.ids("/v1/coupons")[3]))
	r.clock = r.clock.AddDate(0, 0, 40)
	sink, _ := r.sync()
	r.expectTruth()
	if got := r.stripe.RequestCount("/v1/coupons"); got != 2 {
		t.Errorf("coupons were listed %d times, want 2", got)
	}
	var warned []string
	for _, m := range sink.messages {
		if m, isLog := m.(*connector.LogEntry); isLog && m.Level == connector.Warning {
			warned = append(warned, m.Stream)
		}
	}
	slices.Sort(warned) // they start concurrently
	if diff := cmp.Diff([]string{"coupons", "events"}, warned); diff != "" {
		t.Errorf("warnings: %s", diff)
	}
	if len(r.rows["events"]) < before {
		t.Error("events that Stripe no longer retains were lost")
	}
}

func TestKeyWithoutEvents(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 10}, Keys: map[string]stripetest.Key{
		"rk_test_narrow": {Permissions: []string{"rak_coupon_read", "rak_plan_read"}},
	}}, "coupons", "plans")
	r.config = strings.Replace(r.config, "sk_test_123", "rk_test_narrow", 1)
	generations := map[string]int64{}
	for range 3 {
		sink, summary := r.sync()
		for _, s := range summary.Streams {
			if s.Status != connector.Complete || s.Generation <= generations[s.Stream] {
				t.Errorf("%s is %s in generation %d: %v", s.Stream, s.Status, s.Generation, s.Failure)
			}
			generations[s.Stream] = s.Generation
		}
		warnings := 0
		for _, m := range sink.messages {
			if m, isLog := m.(*connector.LogEntry); isLog && m.Level == connector.Warning && strings.Contains(m.Message, "may not read events") {
				warnings++
			}
		}
		if warnings != 2 {
			t.Errorf("%d warnings, want one per stream", warnings)
		}
		r.expectTruth()
		r.clock = r.clock.Add(time.Hour)
		ok(t, r.stripe.Delete(r.ids("/v1/coupons")[0]))
	}
}

func TestStateOfAnotherAccount(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 3}}, "coupons")
	r.sync()
	other := newReplica(t, stripetest.Options{Seed: 7, Objects: map[string]int{"*": 3}}, "coupons")
	other.config = strings.Replace(other.config, "sk_test_123", "sk_test_456", 1)
	req := connector.ReadRequest{
		Config:  connector.NewConfig(other.config),
		Streams: []connector.ConfiguredStream{{Stream: "coupons", SyncMode: connector.Incremental}},
		States:  []connector.StreamState{r.states["coupons"]},
	}
	_, err := other.source.Read(t.Context(), req, &recorder{})
	failure, isFailure := errors.AsType[*connector.Failure](err)
	if !isFailure || failure.Class != connector.ConfigError || len(failure.Violations) != 1 || failure.Violations[0].Field != "states[0].content" {
		t.Errorf("got %v", err)
	}
	// A new key of the same account is accepted.
	r.config = strings.Replace(r.config, "sk_test_123", "sk_test_456", 1)
	r.clock = r.clock.Add(time.Hour)
	r.stripe.ResetRequests()
	r.sync()
	if r.stripe.RequestCount("/v1/account") != 1 || r.stripe.RequestCount("/v1/coupons") != 0 {
		t.Errorf("%v", r.stripe.Requests())
	}
}

func TestIncrementalResumesFullRefresh(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 10}}, "charges", "coupons")
	req := connector.ReadRequest{Config: connector.NewConfig(r.config), Streams: selected("charges", "coupons")}
	sink := &recorder{}
	if _, err := r.source.Read(t.Context(), req, sink); err != nil {
		t.Fatal(err)
	}
	for _, m := range sink.messages {
		r.apply(m)
	}
	r.clock = r.clock.Add(time.Hour)
	ok(t, r.stripe.Update(r.ids("/v1/charges")[1]))
	ok(t, r.stripe.Delete(r.ids("/v1/coupons")[1]))
	r.clock = r.clock.Add(time.Hour)
	r.stripe.ResetRequests()
	r.sync()
	r.expectTruth()
	if r.stripe.RequestCount("/v1/charges") != 0 {
		t.Errorf("charges were re-read from the beginning: %v", r.stripe.Requests())
	}
}

func TestLongStretchesOfEvents(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 10, "/v1/charges": 400}}, "charges", "events")
	r.sync()
	ids := r.ids("/v1/charges")
	for i := range 5000 {
		if i%7 == 0 {
			r.clock = r.clock.Add(time.Duration(i%31) * time.Second)
		}
		ok(t, r.stripe.Update(ids[(i*i)%len(ids)]))
	}
	r.clock = r.clock.Add(time.Minute)
	r.stripe.ResetRequests()
	sink, _ := r.sync()
	r.expectTruth()
	if n, minimum := r.stripe.RequestCount("/v1/events"), 50; n > minimum+3 {
		t.Errorf("%d requests for events, the minimum is %d", n, minimum)
	}
	states := 0
	for _, m := range sink.messages {
		if m, isState := m.(*connector.StateCheckpoint); isState && m.Stream == "charges" {
			states++
		}
	}
	if states < 3 {
		t.Errorf("%d states, want at least 3", states)
	}
}

// TestWatermarks compares the watermarks of states, which are used to monitor a Read with Follow, with those of the
// summary.
func TestWatermarks(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 250}}, "charges", "tax_codes")
	states := func(sink *recorder, stream string) (all []time.Time) {
		for _, m := range sink.messages {
			if state, ok := m.(*connector.StateCheckpoint); ok && state.Stream == stream {
				all = append(all, state.Watermark)
			}
		}
		return all
	}
	var before time.Time
	for range 3 {
		sink, summary := r.sync(func(req *connector.ReadRequest) { req.CheckpointPages = 1 })
		first := before.IsZero()
		for _, stream := range summary.Streams {
			all := states(sink, stream.Stream)
			if len(all) == 0 || !all[len(all)-1].Equal(stream.Watermark) || stream.Watermark.Before(r.clock.Add(-time.Hour)) {
				t.Fatalf("%s ends with watermark %s after states with %v, at %s", stream.Stream, stream.Watermark, all, r.clock)
			}
			if first && stream.Stream == "charges" && !all[0].IsZero() {
				t.Errorf("%s: the first state has watermark %s although more is left to read", stream.Stream, all[0])
			}
			if !slices.IsSortedFunc(all, time.Time.Compare) {
				t.Errorf("%s: the watermark moved backwards: %v", stream.Stream, all)
			}
			if stream.Stream == "charges" {
				if !stream.Watermark.After(before) {
					t.Errorf("the watermark stays at %s", before)
				}
				before = stream.Watermark
			}
		}
		r.clock = r.clock.Add(3 * time.Hour)
	}
}

// TestSiblingsAreListedOnce changes several cards of a customer, which must be listed only once.
func TestSiblingsAreListedOnce(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/customers": 1, "/v1/customers/{customer}/cards": 3}}, "bank_accounts", "cards")
	r.configure("update_mode", `"reread"`)
	r.sync()
	r.clock = r.clock.Add(time.Hour)
	for _, id := range r.ids("/v1/customers/{customer}/cards") {
		ok(t, r.stripe.Update(id))
	}
	r.clock = r.clock.Add(time.Minute)
	r.stripe.ResetRequests()
	r.sync()
	r.expectTruth()
	if n := r.stripe.RequestCount("/v1/customers/{customer}/sources"); n != 1 {
		t.Errorf("the sources were listed %d times: %v", n, r.stripe.Requests())
	}
}

// TestLookback changes objects without an event. Recent ones must be re-read all the same.
func TestLookback(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/charges": 300}}, "charges")
	r.configure("lookback_days", "30")
	r.sync()
	r.clock = r.clock.Add(time.Hour)
	ids := r.ids("/v1/charges") // newest first
	newest, oldest := ids[0], ids[len(ids)-1]
	ok(t, r.stripe.Silent().Update(newest))
	ok(t, r.stripe.Silent().Update(oldest))
	r.clock = r.clock.Add(time.Minute)
	sink, _ := r.sync()
	var read []string
	for _, record := range sink.records("charges") {
		read = append(read, record.Key)
	}
	if !slices.Contains(read, newest) || slices.Contains(read, oldest) {
		t.Errorf("re-read %v, want %s of today but not %s of a year ago", read, newest, oldest)
	}
	for id, raw := range r.stripe.Truth("/v1/charges") {
		var want map[string]any
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		if id == newest && !includes(r.rows["charges"][id+" "].data, want) {
			t.Errorf("the row of %s is %v", id, r.rows["charges"][id+" "].data)
		}
	}
}

// TestPendingObjectsAreReread settles balance transactions, which no event announces.
func TestPendingObjectsAreReread(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/balance_transactions": 60}}, "balance_transactions")
	r.sync()
	for range 2 {
		r.clock = r.clock.Add(time.Hour)
		settled := 0
		for _, id := range r.ids("/v1/balance_transactions") {
			if row := r.rows["balance_transactions"][id+" "]; row.data["status"] == "pending" && settled < 5 {
				ok(t, r.stripe.Update(id)) // this changes its content
				settled++
			}
		}
		if settled == 0 {
			t.Fatal("nothing was pending")
		}
		must[string](t)(r.stripe.Create("/v1/balance_transactions"))
		r.clock = r.clock.Add(time.Minute)
		r.sync()
		r.expectTruth()
	}
}
