package stripe_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

var errKilled = errors.New("killed")

// families groups streams by how they are read.
var families = map[string][]string{
	"plain":                        {"charges"},
	"embedded children":            {"invoices", "invoice_line_items"},
	"children before their parent": {"invoice_line_items", "invoices"},
	"children without parent":      {"subscription_items"},
	"expanded children":            {"customers", "cards", "bank_accounts", "customer_tax_ids"},
	"a request per parent":         {"customers", "customer_balance_transactions"},
	"children of children":         {"subscriptions", "subscription_items", "usage_record_summaries"},
	"across another stream":        {"billing_meters", "billing_meter_event_summaries"},
	"parents that are refused":     {"accounts", "persons", "capabilities"},
	"unwindowed":                   {"payment_links", "payment_link_line_items"},
	"unpaged":                      {"payment_method_configurations"},
	"events":                       {"events"},
	"side by side":                 {"charges", "events", "invoices", "invoice_line_items", "payment_links", "payment_method_configurations"},
}

// objectCounts returns the number of objects in each list that the families use.
func objectCounts(n int) map[string]int {
	objects := map[string]int{"*": 0, "/v1/billing/meters": 2, "/v1/payment_method_configurations": 3}
	for _, path := range []string{"accounts", "charges", "customers", "invoices", "payment_links", "subscriptions"} {
		objects["/v1/"+path] = n
	}
	if n < 10 {
		objects["/v1/invoices/{invoice}/lines"] = 12 // more than an invoice embeds
	}
	return objects
}

// bunched puts half of the objects at the very end of the range, so that the density estimate predicts thousands of objects
// and windows are split.
func bunched(rank float64) float64 {
	if rank < 0.5 {
		return rank
	}
	return 0.9999 + rank/20000
}

// tied is like bunched, with four objects in each second.
func tied(rank float64) float64 { return bunched(float64(int(rank*5)) / 5) }

// orchestrator stores the messages of Reads: rows by key, and the last state of each stream, which it resumes from. It
// stores the records of a stream together with the state that covers them, and records violations of the contract.
type orchestrator struct {
	keys map[string][]string // the primary key of each stream
	// eager also stores records that no state covers yet.
	eager bool
	// changing is set if objects change during a Read, which may then send them more than once.
	changing bool

	streams map[string]*table
	wrong   []string
}

// table is the stored data of one stream.
type table struct {
	state    connector.StreamState
	complete bool
	rows     map[string]row
	waiting  []row // records not covered by a state
}

type row struct {
	key, data  string
	generation int64
	asOf       time.Time
}

// orchestrator returns an orchestrator of the named streams with nothing stored.
func (p processes) orchestrator(names []string) *orchestrator {
	o := &orchestrator{keys: p.keys, streams: map[string]*table{}}
	for _, name := range names {
		o.streams[name] = &table{rows: map[string]row{}}
	}
	return o
}

// unfinished returns the streams that are still to be read, with the states to resume from.
func (o *orchestrator) unfinished(names []string) (streams []connector.ConfiguredStream, states []connector.StreamState) {
	for _, name := range names {
		stored := o.streams[name]
		if stored.complete {
			continue
		}
		streams = append(streams, connector.ConfiguredStream{Stream: name})
		if stored.state.State != nil {
			states = append(states, stored.state)
		}
	}
	return streams, states
}

// store stores the messages received from a Read.
func (o *orchestrator) store(messages []connector.Message) {
	sent := map[string]bool{}
	for _, m := range messages {
		switch m := m.(type) {
		case *connector.RecordBatch:
			stored := o.streams[m.Stream]
			for _, record := range m.Records {
				arrived := row{o.key(m.Stream, record.Data), record.Data, m.Generation, record.AsOf}
				if id := m.Stream + " " + arrived.key; sent[id] && !o.changing {
					o.complain("one Read sent %s twice", id)
				} else {
					sent[id] = true
				}
				stored.waiting = append(stored.waiting, arrived)
			}
		case *connector.StateCheckpoint:
			stored := o.streams[m.Stream]
			stored.state = m.StreamState
			o.apply(m.Stream)
		case *connector.StreamStatus:
			if m.Status == connector.Complete {
				o.complete(m)
			}
		}
	}
	for name, stored := range o.streams {
		if o.eager {
			o.apply(name)
		}
		stored.waiting = nil
	}
}

// apply stores the waiting records by key, in the order received.
func (o *orchestrator) apply(name string) {
	stored := o.streams[name]
	for _, arrived := range stored.waiting {
		before := stored.rows[arrived.key]
		switch {
		case arrived.asOf.Before(before.asOf):
			o.complain("%s %s: record as of %v after one as of %v", name, arrived.key, arrived.asOf, before.asOf)
		case revision(arrived.data) < revision(before.data):
			o.complain("%s %s: revision %d after %d", name, arrived.key, revision(arrived.data), revision(before.data))
		case arrived.generation < before.generation:
			o.complain("%s %s: generation %d after %d", name, arrived.key, arrived.generation, before.generation)
		}
		stored.rows[arrived.key] = arrived
	}
	stored.waiting = nil
}

// complete removes the rows that the last generation didn't send again.
func (o *orchestrator) complete(m *connector.StreamStatus) {
	stored := o.streams[m.Stream]
	if len(stored.waiting) > 0 {
		o.complain("%s is complete, but no state covers its last %d records", m.Stream, len(stored.waiting))
	}
	// What Stripe failed to return is set aside and is sent by the next full refresh.
	stored.complete = !bytes.Contains(stored.state.State, []byte(`"aside":`))
	maps.DeleteFunc(stored.rows, func(_ string, r row) bool { return r.generation < m.Generation })
}

func (o *orchestrator) complain(format string, args ...any) {
	o.wrong = append(o.wrong, fmt.Sprintf(format, args...))
}

func (o *orchestrator) key(stream, data string) string {
	var parts []string
	for _, field := range o.keys[stream] {
		value, ok := rawjson.Lookup(data, field)
		if !ok {
			o.complain("%s: no %s in %s", stream, field, data)
		}
		parts = append(parts, value)
	}
	return strings.Join(parts, "|")
}

// revision returns how often the simulated Stripe has changed an object, if the object says so.
func revision(data string) int64 {
	value, _ := rawjson.Lookup(data, "metadata", "revision")
	return rawjson.Int(strings.Trim(value, `"`))
}

// showsRevision reports whether an object says how often it was changed. Line items do so only in newer versions of the API.
func showsRevision(data string) bool {
	_, ok := rawjson.Lookup(data, "metadata")
	return ok
}

// differences compares the rows of some streams with those of an undisturbed Read.
func (o *orchestrator) differences(undisturbed *orchestrator, names []string) []string {
	wrong := slices.Clone(o.wrong)
	for _, name := range names {
		want, got := undisturbed.streams[name].rows, o.streams[name].rows
		for key, r := range want {
			if there, ok := got[key]; !ok {
				wrong = append(wrong, fmt.Sprintf("%s %s is missing", name, key))
			} else if there.data != r.data {
				wrong = append(wrong, fmt.Sprintf("%s %s is %s, want %s", name, key, there.data, r.data))
			}
		}
		if len(got) > len(want) {
			wrong = append(wrong, fmt.Sprintf("%s has %d rows, want %d", name, len(got), len(want)))
		}
	}
	if len(wrong) > 5 {
		wrong = append(wrong[:5], fmt.Sprintf("and %d more", len(wrong)-5))
	}
	return wrong
}

// processes creates Sources that share nothing, like separate processes.
type processes struct {
	*world
	transport *closingTransport
	keys      map[string][]string // the primary key of each stream
}

func (w *world) processes(t *testing.T) processes {
	keys := map[string][]string{}
	for _, stream := range w.catalog(t) {
		keys[stream.Name] = stream.PrimaryKey
	}
	return processes{w, w.transport(t), keys}
}

func (p processes) start(o stripe.Options) *stripe.Source {
	o.AllowedAPIBases, o.Transport, o.Now = []string{p.URL}, p.transport, func() time.Time { return now }
	if o.Retry == (api.Retry{}) {
		o.Retry = api.Retry{Initial: time.Millisecond, Max: 5 * time.Millisecond, Budget: 10 * time.Second, Attempt: 5 * time.Second}
	}
	return stripe.New(o)
}

// undisturbed reads streams to their end in one Read.
func (p processes) undisturbed(t *testing.T, names []string) *orchestrator {
	t.Helper()
	sink, summary := p.read(t, connector.ReadRequest{Streams: selected(names...)})
	if summary.HasMore {
		t.Fatalf("an undisturbed Read reports HasMore: %+v", summary)
	}
	o := p.orchestrator(names)
	o.store(sink.messages)
	return o
}

// whole is like undisturbed, but fails the test if a stream has no rows.
func (p processes) whole(t *testing.T, names []string) *orchestrator {
	t.Helper()
	o := p.undisturbed(t, names)
	for _, name := range names {
		if len(o.streams[name].rows) == 0 {
			t.Fatalf("there are no %s: nothing to test", name)
		}
	}
	return o
}

// TestResumeFromEveryState stops a Read after each of its states and resumes in a new process. The result must be the rows
// of an undisturbed Read, even if records are only stored together with a state.
func TestResumeFromEveryState(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes with the race detector")
	}
	sizes := map[int]map[string]int{1: objectCounts(3), 2: objectCounts(5), 100: objectCounts(2)}
	for _, many := range []string{"/v1/charges", "/v1/customers", "/v1/invoices", "/v1/payment_links"} {
		sizes[100][many] = 101
	}
	sizes[100]["/v1/customers/{customer}/balance_transactions"] = 1
	sizes[100]["/v1/invoices/{invoice}/lines"] = 2
	split := false
	for size, objects := range sizes {
		for _, latency := range []time.Duration{0, time.Millisecond} {
			if latency > 0 && (testing.Short() || size == 100) {
				continue
			}
			w := newWorld(t, stripetest.Options{
				Seed: 7, Objects: objects, Density: bunched, Latency: func(string) time.Duration { return latency },
			})
			p := w.processes(t)
			for name, streams := range families {
				t.Run(fmt.Sprintf("pages of %d, latency %v, %s", size, latency, name), func(t *testing.T) {
					split = p.resumeFromEveryState(t, size, streams) || split
				})
			}
		}
	}
	if !split && !testing.Short() {
		t.Error("no state had several windows")
	}
}

// resumeFromEveryState reports whether any of the states had several windows.
func (p processes) resumeFromEveryState(t *testing.T, pageSize int, names []string) (split bool) {
	undisturbed := p.whole(t, names)
	for k := 1; ; k++ {
		stored, received := p.orchestrator(names), p.orchestrator(names)
		received.eager = true
		var first recorder
		states := 0
		first.send = func(_ int, m connector.Message) error {
			if states == k {
				return errKilled
			}
			if state, ok := m.(*connector.StateCheckpoint); ok {
				states++
				split = split || strings.Count(string(state.State), `"from"`) > 2
			}
			return nil
		}
		req := connector.ReadRequest{Config: p.config, Streams: selected(names...), CheckpointPages: 1}
		_, err := p.start(stripe.Options{PageSize: pageSize}).Read(t.Context(), req, &first)
		if err != nil && !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		if err == nil {
			if states < len(names) {
				t.Fatalf("only %d states, want at least one per stream", states)
			}
			return split // the Read ended before state k
		}
		stored.store(first.messages)
		received.store(first.messages)

		var second recorder
		req.Streams, req.States = stored.unfinished(names)
		summary, err := p.start(stripe.Options{PageSize: pageSize}).Read(t.Context(), req, &second)
		if err != nil || summary.HasMore {
			t.Fatalf("after state %d, the resumed Read ends with %v, %+v", k, err, summary)
		}
		stored.store(second.messages)
		received.store(second.messages)
		for _, o := range []*orchestrator{stored, received} {
			for _, wrong := range o.differences(undisturbed, names) {
				t.Errorf("after state %d: %s", k, wrong)
			}
		}
		if t.Failed() {
			return split
		}
	}
}

// disturbedWorld is a world shared by many random syncs.
type disturbedWorld struct {
	processes
	before  *orchestrator // what an undisturbed Read ends with
	latency atomic.Int64
}

var everyFamily = func() []string {
	var names []string
	for _, family := range families {
		names = append(names, family...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}()

func newDisturbedWorld(t *testing.T, density stripetest.Density, objects map[string]int) *disturbedWorld {
	var u disturbedWorld
	w := newWorld(t, stripetest.Options{
		Seed: 11, Density: density, Objects: objects,
		Latency: func(string) time.Duration { return time.Duration(u.latency.Load()) },
	})
	u.processes = w.processes(t)
	u.before = u.whole(t, everyFamily)
	return &u
}

// disturbance describes what happens to one Read of a sync.
type disturbance struct {
	kill    int  // message at which the Read is killed; -1 for none
	cancel  bool // it is killed by its context rather than by the sink
	drain   bool // it isn't killed but asked to end early
	lost    int  // number of the last messages that are not stored
	fault   stripetest.Fault
	limit   int64
	follow  int // number of requests after which a Read with Follow is canceled; 0 means no Follow
	retries api.Retry
	beat    time.Duration
}

var faults = []stripetest.FaultKind{
	stripetest.RateLimited, stripetest.LockTimeout, stripetest.ServerError, stripetest.BadGateway,
	stripetest.EmptyBody, stripetest.Truncated, stripetest.Dropped, stripetest.WrongContent,
}

// killPoints are the messages to be killed at. They are shuffled because rapid prefers the first of a range, at which
// nothing has been read yet.
var killPoints = append(rand.New(rand.NewPCG(1, 1)).Perm(60), -1, -1, -1, -1)

var disturbances = rapid.Custom(func(t *rapid.T) disturbance {
	d := disturbance{
		kill:    rapid.SampledFrom(killPoints).Draw(t, "kill"),
		cancel:  rapid.Bool().Draw(t, "cancel"),
		lost:    rapid.SampledFrom([]int{0, 1, 2, 3, 0, 5, 20}).Draw(t, "lost"),
		limit:   rapid.SampledFrom([]int64{0, 0, 0, 1, 5, 20}).Draw(t, "limit"),
		beat:    rapid.SampledFrom([]time.Duration{0, time.Millisecond}).Draw(t, "heartbeat"),
		retries: api.Retry{Initial: time.Millisecond, Max: 2 * time.Millisecond, Attempt: 5 * time.Second},
	}
	d.retries.Budget = rapid.SampledFrom([]time.Duration{2 * time.Millisecond, 10 * time.Second}).Draw(t, "budget")
	if rapid.Bool().Draw(t, "faulty") {
		d.fault = stripetest.Fault{
			Kind:  rapid.SampledFrom(faults).Draw(t, "fault"),
			Skip:  rapid.IntRange(0, 20).Draw(t, "skip"),
			Times: rapid.IntRange(1, 6).Draw(t, "times"),
		}
	}
	return d
})

// disturb performs one Read with a disturbance, and returns the messages that were stored. Being killed is not an error.
func (u *disturbedWorld) disturb(ctx context.Context, s trial, req connector.ReadRequest, d disturbance) ([]connector.Message, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if d.fault.Times > 0 {
		defer u.Inject(d.fault)()
	}
	sink := recorder{send: func(n int, m connector.Message) error {
		if s.change != nil {
			if err := s.change(m); err != nil {
				return err
			}
		}
		switch {
		case d.kill < 0 || n < d.kill:
			return nil
		case d.cancel:
			cancel()
			return nil // messages in flight still arrive
		}
		return errKilled
	}}
	req.Config, req.RecordLimit = u.config, d.limit
	_, err := u.start(stripe.Options{PageSize: s.pageSize, Retry: d.retries, Heartbeat: d.beat}).Read(ctx, req, &sink)
	if errors.Is(err, errKilled) || errors.Is(err, context.Canceled) {
		err = nil
	}
	return sink.messages[:max(0, len(sink.messages)-d.lost)], err
}

// trial is a random sync: what is read, how, and what happens to its Reads.
type trial struct {
	names        []string
	eager        bool
	pageSize     int
	disturbances []disturbance
	request      connector.ReadRequest
	// change, if set, changes something at Stripe before each message.
	change func(connector.Message) error
}

var trials = rapid.Custom(func(t *rapid.T) trial {
	names := rapid.SliceOfNDistinct(rapid.SampledFrom(everyFamily), 1, 6, rapid.ID).Draw(t, "streams")
	if rapid.Bool().Draw(t, "family") {
		names = families[rapid.SampledFrom(slices.Sorted(maps.Keys(families))).Draw(t, "of")]
	}
	return trial{
		names:        names,
		eager:        rapid.Bool().Draw(t, "eager"),
		pageSize:     rapid.SampledFrom([]int{1, 2, 3, 100}).Draw(t, "page size"),
		disturbances: rapid.SliceOfN(disturbances, 1, 6).Draw(t, "disturbances"),
		request: connector.ReadRequest{
			NewestFirst:     rapid.Bool().Draw(t, "newest first"),
			CheckpointPages: rapid.IntRange(1, 3).Draw(t, "checkpoint pages"),
		},
	}
})

// run reads until every stream is complete: first one Read for each disturbance, then undisturbed ones.
func (u *disturbedWorld) run(t *rapid.T, s trial) *orchestrator {
	o := u.orchestrator(s.names)
	o.eager, o.changing = s.eager, s.change != nil
	for read := 0; ; read++ {
		d := disturbance{kill: -1}
		if read < len(s.disturbances) {
			d = s.disturbances[read]
		}
		req := s.request
		req.Streams, req.States = o.unfinished(s.names)
		if len(req.Streams) == 0 {
			return o
		}
		if read > len(s.disturbances)+1 {
			t.Fatalf("the sync doesn't end: %v are left", req.Streams)
		}
		messages, err := u.disturb(t.Context(), s, req, d)
		if err != nil {
			t.Fatalf("Read %d: %v", read, err)
		}
		o.store(messages)
	}
}

// checks sets the number of rapid checks to n, unless the flag -rapid.checks was given.
func checks(t *testing.T, n string) {
	t.Helper()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	f := flag.Lookup("rapid.checks")
	before := f.Value.String()
	if given {
		return
	}
	if testing.Short() { // for example with the race detector
		maximum, err := strconv.Atoi(n)
		if err != nil {
			t.Fatal(err)
		}
		n = strconv.Itoa(max(maximum/4, 1))
	}
	if err := f.Value.Set(n); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Value.Set(before) })
}

// densities are the densities that are possible with few objects.
var densities = map[string]stripetest.Density{
	"even": stripetest.Even, "bunched": bunched, "one second": func(float64) float64 { return 0.97 },
}

// TestResumeFromAnything disturbs syncs at random with a sequence of faults, limits, kills and lost messages. The result
// must be the rows of an undisturbed Read.
func TestResumeFromAnything(t *testing.T) {
	checks(t, "60")
	for name, density := range densities {
		t.Run(name, func(t *testing.T) {
			u := newDisturbedWorld(t, density, objectCounts(6))
			rapid.Check(t, func(t *rapid.T) {
				u.latency.Store(int64(rapid.SampledFrom([]time.Duration{0, time.Millisecond}).Draw(t, "latency")))
				s := trials.Draw(t, "trial")
				for _, wrong := range u.run(t, s).differences(u.before, s.names) {
					t.Error(wrong)
				}
			})
		})
	}
}

// TestResumeWhileStripeChanges disturbs syncs while objects are created, changed and deleted, between messages and between
// Reads. No record may be older than an earlier one, and rows of objects that existed all the time must not be missing.
func TestResumeWhileStripeChanges(t *testing.T) {
	checks(t, "20")
	roots := []string{"/v1/charges", "/v1/customers", "/v1/invoices", "/v1/payment_links"}
	streams := []string{"charges", "customers", "customer_balance_transactions", "invoices", "invoice_line_items", "payment_links"}
	objects := objectCounts(4)
	objects["/v1/charges"], objects["/v1/customers"], objects["/v1/customers/{customer}/balance_transactions"] = 20, 20, 2
	rapid.Check(t, func(r *rapid.T) {
		u := newDisturbedWorld(t, tied, objects) // a new one each time, since changes persist
		defer u.Close()
		u.latency.Store(int64(rapid.SampledFrom([]time.Duration{0, time.Millisecond}).Draw(r, "latency")))
		s := trials.Draw(r, "trial")
		s.names = streams
		s.pageSize = min(s.pageSize, 3)
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed of the changes"), 0))
		often := rapid.IntRange(1, 10).Draw(r, "a change in")
		deletes := rapid.Bool().Draw(r, "deletes")
		s.change = func(m connector.Message) error {
			batch, ok := m.(*connector.RecordBatch)
			switch {
			case random.IntN(often) > 0:
				return nil
			case ok && batch.Stream == "customers" && deletes:
				return u.Delete(batch.Records[len(batch.Records)-1].Key) // the next page starts after it
			case ok && slices.Contains([]string{"charges", "invoices", "payment_links"}, batch.Stream):
				return u.Update(batch.Records[random.IntN(len(batch.Records))].Key)
			}
			root := roots[random.IntN(len(roots))]
			if random.IntN(5) == 0 {
				_, err := u.Create(root)
				return err
			}
			var ids []string
			for id := range u.Truth(root) {
				ids = append(ids, id)
			}
			if len(ids) == 0 {
				return nil
			}
			return u.Update(ids[random.IntN(len(ids))])
		}
		synced := u.run(r, s)
		after := u.undisturbed(t, s.names)
		for _, name := range s.names {
			for key := range u.before.streams[name].rows {
				_, still := after.streams[name].rows[key]
				if _, ok := synced.streams[name].rows[key]; still && !ok {
					r.Errorf("%s %s is missing", name, key)
				}
			}
		}
		for _, wrong := range synced.wrong {
			r.Error(wrong)
		}
	})
}
