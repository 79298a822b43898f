package stripe_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// TestUnreadableEvent breaks one event among others of its second and around it. Only that event's own object is stale, every
// stream is COMPLETE, and the row is correct once Stripe can return the event.
func TestUnreadableEvent(t *testing.T) {
	r := newImpatientReplica(t, "", stripetest.Options{Objects: map[string]int{"*": 0, "/v1/charges": 8, "/v1/coupons": 3}}, "charges", "coupons", "events")
	r.sync()
	ids := r.ids("/v1/charges")
	var lost string
	for i, id := range ids {
		r.clock = r.clock.Add(time.Duration(i%2) * time.Second)
		ok(t, r.stripe.Silent().Update(id))
		event, err := r.stripe.Emit("charge.updated", id)
		ok(t, err)
		if i == 4 {
			lost = event
		}
	}
	r.clock = r.clock.Add(30 * time.Second)
	repair := r.stripe.Break(lost, stripetest.ServerError)
	for range 2 {
		sink, summary := r.sync()
		for _, s := range summary.Streams {
			if s.Status != connector.Complete {
				t.Errorf("%s is %s: %v", s.Stream, s.Status, s.Failure)
			}
			if want := s.Stream == "events"; want != (s.SetAsideTotal == 1) {
				t.Errorf("%s sets aside %d items", s.Stream, s.SetAsideTotal)
			}
		}
		if !sink.hasLog("Stripe can't return an event created at") {
			t.Error("no log entry names the event")
		}
		if diff := cmp.Diff(sorted([]string{"charges " + ids[4], "events " + lost}), r.lacking()); diff != "" {
			t.Errorf("missing or stale (-want +got):\n%s", diff)
		}
		r.clock = r.clock.Add(20 * time.Second)
	}
	repair()
	r.clock = r.clock.Add(20 * time.Minute)
	r.sync()
	r.expectTruth()
}

// TestReconcileContinuesPastAnUnreadableEvent breaks an event and reconciles. The comparison finishes, and repairs the row that
// the event would have changed.
func TestReconcileContinuesPastAnUnreadableEvent(t *testing.T) {
	r := newImpatientReplica(t, "", stripetest.Options{Objects: map[string]int{"*": 0, "/v1/charges": 130}}, "charges")
	r.sync()
	ids := r.ids("/v1/charges")
	r.clock = r.clock.Add(time.Hour)
	var events []string
	for i := range 260 { // several pages on each side of the broken event
		id := ids[i%len(ids)]
		r.clock = r.clock.Add(time.Duration(i%3) * time.Second)
		ok(t, r.stripe.Silent().Update(id))
		events = append(events, must[string](t)(r.stripe.Emit("charge.updated", id)))
	}
	r.clock = r.clock.Add(30 * time.Second)
	defer r.stripe.Break(events[133], stripetest.ServerError)()
	r.sync()
	stale := ids[133%len(ids)] // it was created within the range that is compared
	r.expectLacking("charges " + stale)
	r.clock = r.clock.Add(20 * time.Minute) // the sweep no longer looks for it
	sink, summary := r.sync(reconcile)
	if s := summary.Streams[0]; s.Status != connector.Complete || s.Reconciliation == nil || s.Reconciliation.Stale != 1 || s.Reconciliation.Missing+s.Reconciliation.Extra != 0 {
		t.Errorf("%s (%v), found %+v, want one stale row", s.Status, s.Failure, s.Reconciliation)
	}
	if logged := sink.logged("Stripe can't return an event"); len(logged) != 1 {
		t.Errorf("logged %q, want one entry about the event", logged)
	}
	r.expectTruth()
}
