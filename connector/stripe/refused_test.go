package stripe_test

import (
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// TestPermissionsComeAndGo removes the permission for charges and restores it. Meanwhile the stream fails and keeps its
// state, and the other streams continue. Once the permission is restored, what was missed is read.
func TestPermissionsComeAndGo(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 40}, OldEvents: 1, Keys: map[string]stripetest.Key{"sk_test_123": {}}}, "charges", "coupons", "balance_transactions")
	r.sync()
	for round := range 4 {
		r.clock = r.clock.Add(time.Hour)
		repair := func() {}
		if round%2 == 0 {
			repair = r.stripe.Inject(stripetest.Fault{Kind: stripetest.PermissionMissing, Path: "/v1/charges"})
			retrieval := r.stripe.Inject(stripetest.Fault{Kind: stripetest.PermissionMissing, Path: "/v1/charges/{id}"})
			lists := r.stripe.Inject(stripetest.Fault{Kind: stripetest.PermissionMissing, Path: "/v1/balance_transactions"})
			first := repair
			repair = func() { first(); retrieval(); lists() }
		}
		for _, path := range []string{"/v1/charges", "/v1/coupons"} {
			ok(t, r.stripe.Update(r.ids(path)[round]))
			must[string](t)(r.stripe.Create(path))
		}
		must[string](t)(r.stripe.Create("/v1/balance_transactions"))
		r.clock = r.clock.Add(time.Hour)
		before := string(r.states["charges"].State)
		_, summary := r.sync()
		for _, s := range summary.Streams {
			refused := round%2 == 0 && s.Stream != "coupons"
			switch {
			case refused && (s.Status != connector.Incomplete || s.Failure.Class != connector.PermissionError || !summary.HasMore):
				t.Errorf("round %d: %s lost its permission and is %s: %v", round, s.Stream, s.Status, s.Failure)
			case !refused && s.Status != connector.Complete:
				t.Errorf("round %d: %s is %s: %v", round, s.Stream, s.Status, s.Failure)
			}
		}
		if round%2 == 0 && string(r.states["charges"].State) == "" {
			t.Errorf("the state is gone, was %s", before)
		}
		repair()
	}
	r.settle()
	r.expectTruth()
}

// TestStartDateAppliesToEvents changes objects that were created before the start date: events must not bring them, as
// lists don't.
func TestStartDateAppliesToEvents(t *testing.T) {
	for name, version := range map[string]float64{"payloads": 0, "read again": 1} {
		t.Run(name, func(t *testing.T) {
			r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 60}, OldEvents: version}, "charges", "subscriptions", "subscription_items")
			r.configure("start_date", `"2024-03-01"`)
			r.sync()
			listed := map[string]int{}
			for _, stream := range r.streams {
				listed[stream.Name] = len(r.rows[stream.Name])
			}
			r.clock = r.clock.Add(time.Hour)
			for _, path := range []string{"/v1/charges", "/v1/subscriptions"} {
				for _, id := range r.ids(path) {
					ok(t, r.stripe.Update(id))
				}
			}
			r.settle()
			for _, stream := range r.streams {
				rows := r.rows[stream.Name]
				if len(rows) != listed[stream.Name] || len(rows) == 0 {
					t.Errorf("%s: %d rows from lists, but %d after everything has changed", stream.Name, listed[stream.Name], len(rows))
				}
			}
		})
	}
}
