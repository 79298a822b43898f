package stripe_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// pairs returns the rows of payout_transactions, by payout.
func (r *replica) pairs() map[string][]string {
	all := map[string][]string{}
	for _, row := range r.rows["payout_transactions"] {
		payout := row.data["payout"].(string)
		all[payout] = append(all[payout], row.data["id"].(string))
	}
	for _, ids := range all {
		slices.Sort(ids)
	}
	return all
}

// paidOut returns what Stripe lists for each payout.
func (r *replica) paidOut() map[string][]string {
	all := map[string][]string{}
	for _, payout := range r.ids("/v1/payouts") {
		if ids := r.stripe.PaidOut(payout); len(ids) > 0 {
			slices.Sort(ids)
			all[payout] = ids
		}
	}
	return all
}

// TestReplacedPayout replaces a failed payout. Its pairs must be deleted, and those of the replacement added as they become known.
func TestReplacedPayout(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/payouts": 8, "/v1/balance_transactions": 120}}, "payouts", "payout_transactions")
	r.sync()
	if diff := cmp.Diff(r.paidOut(), r.pairs()); diff != "" || len(r.pairs()) < 3 {
		t.Fatalf("after the first sync: %s", diff)
	}
	var failed string
	for payout, ids := range r.pairs() {
		if len(ids) > 3 {
			failed = payout
		}
	}
	before := r.pairs()[failed]
	r.clock = r.clock.Add(time.Hour)
	replacement, err := r.stripe.ReplacePayout(failed)
	ok(t, err)
	r.clock = r.clock.Add(10 * time.Minute)
	r.sync()
	if r.pairs()[failed] != nil {
		t.Errorf("%s was replaced but still has the transactions %v", failed, r.pairs()[failed])
	}
	if some := r.pairs()[replacement]; len(some) == 0 || len(some) >= len(before) {
		t.Errorf("before it is reconciled, %s has %v, want some of %v", replacement, some, before)
	}
	r.clock = r.clock.Add(72 * time.Hour)
	r.sync()
	if diff := cmp.Diff(before, r.pairs()[replacement]); diff != "" {
		t.Errorf("the replacement's pairs: %s", diff)
	}
	if diff := cmp.Diff(r.paidOut(), r.pairs()); diff != "" {
		t.Errorf("after the last sync: %s", diff)
	}
}

// TestPayoutsAreReadUntilTheyAreReconciled reconciles a payout without an event.
func TestPayoutsAreReadUntilTheyAreReconciled(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/balance_transactions": 60, "/v1/payouts": 1}}, "payouts", "payout_transactions")
	payout, err := r.stripe.Silent().Create("/v1/payouts", stripetest.Fields{"automatic": true})
	ok(t, err)
	for range 6 {
		_, err := r.stripe.Create("/v1/balance_transactions", stripetest.Fields{"payout": payout})
		ok(t, err)
	}
	r.clock = r.clock.Add(time.Minute)
	r.sync()
	if n := len(r.pairs()[payout]); n != 3 {
		t.Fatalf("%d pairs of a payout in progress, want 3", n)
	}
	r.clock = r.clock.Add(72 * time.Hour)
	r.sync()
	if n := len(r.pairs()[payout]); n != 6 {
		t.Errorf("%d pairs once it is reconciled, want 6", n)
	}
	r.clock = r.clock.Add(time.Hour)
	if _, summary := r.sync(); summary.Requests > 2 {
		t.Errorf("%d requests when no payout is in progress, want at most 2", summary.Requests)
	}
}

// TestObjectsOfTestClocks checks that a sandbox with test clocks is read completely, without extra requests for lists that are
// read anyway.
func TestObjectsOfTestClocks(t *testing.T) {
	r := newReplica(t, stripetest.Options{
		Objects: map[string]int{"*": 0, "/v1/customers": 40, "/v1/subscriptions": 40, "/v1/quotes": 20, "/v1/test_helpers/test_clocks": 3}, TestClocks: 0.6,
	}, "customers", "subscriptions", "quotes", "subscription_items")
	r.sync()
	r.expectTruth()
	clocked := slices.ContainsFunc(slices.Collect(maps.Values(r.rows["subscriptions"])), func(c copied) bool { return c.data["test_clock"] != nil })
	if !clocked {
		t.Error("no subscription belongs to a clock")
	}
	r.clock = r.clock.Add(time.Hour)
	if _, summary := r.sync(); summary.Requests > 3 {
		t.Errorf("%d requests without a change", summary.Requests)
	}
	for _, id := range r.ids("/v1/test_helpers/test_clocks")[:1] {
		ok(t, r.stripe.Delete(id))
	}
	r.clock = r.clock.Add(time.Hour)
	r.sync()
	r.expectTruth()
}

// TestUnreadableTestClock has Stripe fail to show a test clock. The streams with objects of test clocks are INCOMPLETE, not complete
// without these objects, and the others are read.
func TestUnreadableTestClock(t *testing.T) {
	r := newReplica(t, stripetest.Options{
		Objects: map[string]int{"*": 0, "/v1/customers": 40, "/v1/coupons": 5, "/v1/test_helpers/test_clocks": 3}, TestClocks: 0.6,
	}, "customers", "bank_accounts", "coupons")
	repair := r.stripe.Break(r.ids("/v1/test_helpers/test_clocks")[1], stripetest.ServerError)
	_, summary := r.sync()
	for _, s := range summary.Streams {
		want := connector.Incomplete
		if s.Stream == "coupons" {
			want = connector.Complete
		}
		if s.Status != want || want == connector.Incomplete && !strings.Contains(s.Failure.Message, "can't list the test clocks") {
			t.Errorf("%s is %s: %v", s.Stream, s.Status, s.Failure)
		}
	}
	repair()
	_, summary = r.sync()
	r.expectComplete(summary)
	r.expectTruth()
}

// TestRefusedDiscountsAreSkipped uses a key that may not read a stream whose objects only exist inside other objects.
func TestRefusedDiscountsAreSkipped(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/customers": 10, "/v1/invoices": 40}}, "invoices", "invoice_discounts", "invoice_line_items")
	defer r.stripe.Inject(stripetest.Fault{Kind: stripetest.PermissionMissing, Query: "data.discounts", Reason: "rak_coupon_read"})()
	_, summary := r.sync()
	for _, s := range summary.Streams {
		skipped := s.Stream == "invoice_discounts"
		if (s.Status == connector.Skipped) != skipped || skipped && !strings.Contains(s.Failure.Message, "rak_coupon_read") {
			t.Errorf("%s is %s: %v", s.Stream, s.Status, s.Failure)
		}
	}
	if n := len(r.rows["invoices"]); n != 40 {
		t.Errorf("%d of 40 invoices", n)
	}
}
