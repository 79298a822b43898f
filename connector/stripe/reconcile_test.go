package stripe_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

func reconcile(req *connector.ReadRequest) { req.Reconcile = true }

// reconcilable returns the streams of the catalog that the source can reconcile.
func (r *replica) reconcilable() []connector.Stream {
	r.t.Helper()
	var can []connector.Stream
	for _, stream := range r.streams {
		req := connector.ReadRequest{
			Config: connector.NewConfig(r.config), Reconcile: true,
			Streams: []connector.ConfiguredStream{{Stream: stream.Name, SyncMode: connector.Incremental}},
		}
		_, err := r.source.Read(r.t.Context(), req, &recorder{})
		failure, _ := errors.AsType[*connector.Failure](err)
		if failure == nil {
			r.t.Fatalf("%s was reconciled without a state", stream.Name)
		}
		if failure.Violations[0].Field == "states" {
			can = append(can, stream)
		}
	}
	return can
}

// counts returns the reconciliation of each stream.
func counts(summary connector.Summary) map[string]connector.Reconciliation {
	found := map[string]connector.Reconciliation{}
	for _, s := range summary.Streams {
		if s.Reconciliation != nil {
			found[s.Stream] = *s.Reconciliation
		}
	}
	return found
}

// TestReconcileFindsNothing compares all streams when events announced everything, some of them in the shape of another
// version.
func TestReconcileFindsNothing(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 120}, OldEvents: 0.2, ShuffleTies: true})
	r.streams = r.reconcilable()
	if len(r.streams) < 30 {
		t.Errorf("only %d streams can be reconciled", len(r.streams))
	}
	r.sync()
	for range 3 {
		r.clock = r.clock.Add(time.Hour)
		create := must[string](t)
		customer := create(r.stripe.Create("/v1/customers"))
		create(r.stripe.Create("/v1/customers/" + customer + "/sources"))
		create(r.stripe.Create("/v1/refunds"))
		invoice := create(r.stripe.Create("/v1/invoices"))
		create(r.stripe.Create("/v1/invoices/" + invoice + "/lines"))
		for _, path := range []string{"/v1/charges", "/v1/customers", "/v1/subscriptions", "/v1/invoices", "/v1/coupons", "/v1/transfers"} {
			for i, id := range r.ids(path) {
				if i%3 == 0 {
					ok(t, r.stripe.Update(id))
				}
				if i%6 == 0 {
					ok(t, r.stripe.Update(id))
				}
			}
		}
		for _, path := range []string{"/v1/customers", "/v1/coupons", "/v1/invoices"} {
			ok(t, r.stripe.Delete(r.ids(path)[0]))
		}
	}
	r.clock = r.clock.Add(time.Hour)
	r.sync()
	before := r.states["charges"]
	// What changes now isn't swept yet and doesn't count as a difference.
	for _, id := range r.ids("/v1/charges")[:8] {
		ok(t, r.stripe.Update(id))
	}
	must[string](t)(r.stripe.Create("/v1/coupons"))
	ok(t, r.stripe.Delete(r.ids("/v1/coupons")[1]))
	sink, summary := r.sync(reconcile)
	listed := int64(0)
	for _, s := range summary.Streams {
		c := s.Reconciliation
		if c == nil || c.Missing+c.Stale+c.Extra != 0 || s.Status != connector.Complete {
			t.Errorf("%s is %s (%v), found %+v", s.Stream, s.Status, s.Failure, c)
			continue
		}
		listed += c.Listed
		relisted := strings.HasPrefix(s.Stream, "payout") // as long as some are in progress
		if records := sink.records(s.Stream); len(records) > 0 && !relisted {
			t.Errorf("%s: sent %v", s.Stream, records)
		}
	}
	if listed < 100 {
		t.Errorf("compared only %d objects", listed)
	}
	if diff := cmp.Diff(string(before.State), string(r.states["charges"].State)); diff != "" {
		t.Errorf("the state changed: %s", diff)
	}
}

func TestReconcileRepairs(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 100}},
		"coupons", "customers", "invoices", "invoice_line_items", "charges", "customer_balance_transactions")
	r.sync()
	r.clock = r.clock.Add(time.Hour)
	missed := r.stripe.Silent()
	recent := func(path string, n int) string { // lists are ordered from newest to oldest
		for id := range r.stripe.Truth(path) {
			if n--; n < 0 {
				return id
			}
		}
		t.Fatalf("%s has too few objects", path)
		return ""
	}
	create := must[string](t)
	create(missed.Create("/v1/coupons"))
	create(missed.Create("/v1/coupons"))
	create(missed.Create("/v1/customers"))
	ok(t, missed.Update(recent("/v1/charges", 1)))
	ok(t, missed.Update(recent("/v1/invoices", 1)))
	create(missed.Create("/v1/invoices/" + recent("/v1/invoices", 2) + "/lines"))
	ok(t, missed.Delete(recent("/v1/invoices/"+recent("/v1/invoices", 4)+"/lines", 0)))
	ok(t, missed.Delete(recent("/v1/coupons", 4))) // not one of the two new ones
	ok(t, missed.Delete(recent("/v1/invoices", 3)))
	ok(t, r.stripe.Update(recent("/v1/charges", 2)))
	r.clock = r.clock.Add(time.Hour)
	sink, _ := r.sync()
	if n := len(sink.records("coupons")) + len(sink.records("invoices")); n != 0 {
		t.Fatalf("events brought %d records, want 0", n)
	}
	sink, summary := r.sync(reconcile)
	found := counts(summary)
	for name, want := range map[string]connector.Reconciliation{
		"coupons":                       {Missing: 2, Extra: 1},
		"customers":                     {Missing: 1},
		"customer_balance_transactions": {Missing: 1},
		"charges":                       {Stale: 1},
		"invoices":                      {Stale: 3, Extra: 1},
		"invoice_line_items":            {Stale: 3, Extra: 1},
	} {
		want.Listed = found[name].Listed
		if diff := cmp.Diff(want, found[name]); diff != "" || want.Listed < 5 {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for name, want := range map[string]int{"coupons": 3, "customers": 1, "charges": 1, "invoices": 4} {
		if got := len(sink.records(name)); got != want {
			t.Errorf("%s: %d records, want %d", name, got, want)
		}
	}
	r.expectTruth()
	for _, name := range []string{"charges", "coupons"} {
		if state := string(r.states[name].State); !strings.Contains(state, `"reread":"`+r.clock.Add(time.Second).Format(time.RFC3339)) {
			t.Errorf("payloads of older events are still trusted: %s", state)
		}
	}
	// Later events are applied correctly.
	ok(t, r.stripe.Update(recent("/v1/invoices", 1)))
	ok(t, r.stripe.Update(recent("/v1/charges", 1)))
	r.clock = r.clock.Add(time.Hour)
	r.sync()
	r.expectTruth()
}

// TestReconcileToleratesDelays compares while lists lack recent objects or events are late.
func TestReconcileToleratesDelays(t *testing.T) {
	for name, options := range map[string]stripetest.Options{
		"late events":     {EventDelay: 290 * time.Second},
		"hidden at first": {ObjectDelay: 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			options.Objects = map[string]int{"*": 100}
			r := newReplica(t, options, "coupons")
			r.clock = r.clock.Add(time.Hour)
			r.sync()
			for range 10 {
				must[string](t)(r.stripe.Create("/v1/coupons"))
			}
			for _, wait := range []time.Duration{30 * time.Second, time.Minute, 10 * time.Minute} {
				r.clock = r.clock.Add(wait)
				_, summary := r.sync(reconcile)
				if c := counts(summary)["coupons"]; c.Missing+c.Stale+c.Extra != 0 || c.Listed == 0 {
					t.Errorf("%s later: found %+v", wait, c)
				}
			}
		})
	}
}

func TestReconcileWithinARange(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 400}}, "coupons")
	r.sync()
	r.clock = r.clock.Add(time.Hour)
	must[string](t)(r.stripe.Silent().Create("/v1/coupons"))
	r.clock = r.clock.Add(time.Hour)
	for name, test := range map[string]struct {
		from, to time.Time
		missing  int64
		clamped  bool
	}{
		"before it":     {from: now.AddDate(0, 0, -9), to: now.AddDate(0, 0, -2)},
		"far before it": {from: now.AddDate(0, 0, -90), to: now.AddDate(0, 0, -2), clamped: true},
		"around it":     {from: now.AddDate(0, 0, -9), missing: 1},
	} {
		t.Run(name, func(t *testing.T) {
			other := *r
			other.states = map[string]connector.StreamState{"coupons": r.states["coupons"]}
			sink, summary := other.sync(reconcile, func(req *connector.ReadRequest) { req.From, req.To = test.from, test.to })
			found := counts(summary)["coupons"]
			if found.Missing != test.missing || found.Listed < 5 || found.Listed > 50 || found.Stale+found.Extra != 0 {
				t.Errorf("found %+v", found)
			}
			if got := sink.hasLog("Only objects created since"); got != test.clamped {
				t.Errorf("warning about a shorter range: %t", got)
			}
		})
	}
}

// hasLog reports whether a log entry starts with text.
func (r *recorder) hasLog(text string) bool {
	for _, m := range r.messages {
		if m, isLog := m.(*connector.LogEntry); isLog && strings.HasPrefix(m.Message, text) {
			return true
		}
	}
	return false
}

func TestReconcileEndsEarly(t *testing.T) {
	drained := make(chan struct{})
	close(drained)
	for name, limit := range map[string]func(*connector.ReadRequest){
		"record_limit":  func(req *connector.ReadRequest) { req.RecordLimit = 1 },
		"soft_deadline": func(req *connector.ReadRequest) { req.SoftDeadline = time.Nanosecond },
		"drain":         func(req *connector.ReadRequest) { req.Drain = drained },
	} {
		t.Run(name, func(t *testing.T) {
			var slowly atomic.Bool // makes the sweep slow enough to reach the limit
			r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 100}, Latency: func(string) time.Duration {
				if slowly.Load() {
					return 100 * time.Millisecond
				}
				return 0
			}}, "charges", "coupons")
			r.sync()
			r.clock = r.clock.Add(time.Hour)
			for range 5 {
				must[string](t)(r.stripe.Silent().Create("/v1/coupons"))
				ok(t, r.stripe.Update(r.ids("/v1/charges")[0]))
			}
			r.clock = r.clock.Add(time.Hour)
			slowly.Store(true)
			sink, summary := r.sync(reconcile, limit)
			if found := counts(summary); len(found) != 0 || summary.HasMore {
				t.Errorf("found %v, HasMore %t", found, summary.HasMore)
			}
			for _, s := range summary.Streams {
				if s.Status != connector.Complete {
					t.Errorf("%s is %s", s.Stream, s.Status)
				}
			}
			if !sink.hasLog("A limit of the request was reached") {
				t.Error("no log entry about the limit")
			}
			slowly.Store(false)
			_, summary = r.sync(reconcile)
			if found := counts(summary)["coupons"]; found.Missing != 5 {
				t.Errorf("second Read: found %+v", found)
			}
			r.expectTruth()
		})
	}
}

// TestReconcileOneOfTwo uses a key that may read events and coupons but has lost charges.
func TestReconcileOneOfTwo(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 100}, Keys: map[string]stripetest.Key{
		"sk_test_123":    {},
		"rk_test_narrow": {Permissions: []string{"rak_coupon_read", "rak_event_read"}},
	}}, "charges", "coupons")
	r.sync()
	r.config = strings.Replace(r.config, "sk_test_123", "rk_test_narrow", 1)
	r.clock = r.clock.Add(time.Hour)
	must[string](t)(r.stripe.Silent().Create("/v1/coupons"))
	r.clock = r.clock.Add(time.Hour)
	_, summary := r.sync(reconcile)
	found := counts(summary)
	if len(found) != 1 || found["coupons"].Missing != 1 {
		t.Errorf("found %+v", found)
	}
	if charges := summary.Streams[0]; charges.Status != connector.Incomplete || charges.Failure.Class != connector.PermissionError {
		t.Errorf("charges is %s: %v", charges.Status, charges.Failure)
	}
}

func TestWhatCannotBeReconciled(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 3}}, "coupons", "files")
	r.sync()
	unfinished := r.states["coupons"]
	unfinished.State = []byte(`{"version":2,"mode":"test","generation":1,"from":"2020-01-01T00:00:00Z","to":"2020-02-01T00:00:00Z",
		"pass":{"id":"A","sequence":1,"streams":1},"windows":[{"from":"2020-01-01T00:00:00Z","to":"2020-02-01T00:00:00Z"}]}`)
	tests := map[string]struct {
		stream string
		edit   func(*connector.ReadRequest)
		field  string
		words  string
	}{
		"with follow":           {"coupons", func(r *connector.ReadRequest) { r.Follow = true }, "reconcile", "can't be combined with follow"},
		"everything read":       {"coupons", func(r *connector.ReadRequest) { r.Streams[0].SyncMode = connector.FullRefresh }, "streams[0].sync_mode", "use INCREMENTAL"},
		"no state":              {"coupons", func(r *connector.ReadRequest) { r.States = nil }, "states", "has no state of coupons"},
		"an unfinished state":   {"coupons", func(r *connector.ReadRequest) { r.States[0] = unfinished }, "states[0].content", "has lists left to read"},
		"long ago":              {"coupons", func(r *connector.ReadRequest) { r.To = now.AddDate(0, 0, -31) }, "time_range", "leaves nothing to compare"},
		"creations unannounced": {"files", nil, "streams[0].stream", "new objects"},
		"no events at all":      {"shipping_rates", nil, "streams[0].stream", "no events"},
		"no filter":             {"quotes", nil, "streams[0].stream", "/v1/quotes can't be listed by creation time"},
		"events of its own":     {"customer_tax_ids", nil, "streams[0].stream", "has its own events"},
		"the events":            {"events", nil, "streams[0].stream", "the events themselves"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			req := connector.ReadRequest{
				Config: connector.NewConfig(r.config), Reconcile: true,
				Streams: []connector.ConfiguredStream{{Stream: test.stream, SyncMode: connector.Incremental}},
			}
			if state, ok := r.states[test.stream]; ok {
				req.States = append(req.States, state)
			}
			if test.edit != nil {
				test.edit(&req)
			}
			_, err := r.source.Read(t.Context(), req, &recorder{})
			failure, isFailure := errors.AsType[*connector.Failure](err)
			if !isFailure || failure.Violations[0].Field != test.field || !strings.Contains(failure.Violations[0].Description, test.words) {
				t.Errorf("got %v", err)
			}
		})
	}
}
