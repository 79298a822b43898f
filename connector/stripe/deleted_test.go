package stripe_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// TestDeletionsShowTheObject checks that the record of a deletion has the type of its event, and the object as it last was.
func TestDeletionsShowTheObject(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/customers": 3}}, "customers")
	r.sync()
	r.clock = r.clock.Add(time.Hour)
	id := r.ids("/v1/customers")[0]
	if err := r.stripe.Delete(id); err != nil {
		t.Fatal(err)
	}
	r.clock = r.clock.Add(time.Minute)
	sink, _ := r.sync()
	records := sink.records("customers")
	if len(records) == 0 {
		t.Fatal("no record was sent")
	}
	var last struct{ ID, Object string }
	if err := json.Unmarshal([]byte(records[0].Last), &last); err != nil {
		t.Fatalf("%v in %q", err, records[0].Last)
	}
	if r := records[0]; r.Operation != connector.Delete || r.EventType != "customer.deleted" || last.ID != id || last.Object != "customer" {
		t.Errorf("got %v because of %s, of %+v", r.Operation, r.EventType, last)
	}
}

// TestDeletedAndCreatedAgain deletes objects and creates one of them again with the same id, while a caller that keeps the rows of
// earlier generations is away. The lists show the object, so its deletion doesn't count.
func TestDeletedAndCreatedAgain(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/coupons": 10, "/v1/customers": 10}}, "coupons", "customers")
	r.sync()
	ids := r.ids("/v1/coupons")
	r.clock = r.clock.Add(20 * 24 * time.Hour)
	must[string](t)(r.stripe.Emit("coupon.deleted", ids[0])) // its creation comes in a later part of the sweep
	ok(t, r.stripe.Delete(ids[1]))
	r.clock = r.clock.Add(12 * 24 * time.Hour)
	r.sync(func(req *connector.ReadRequest) { req.KeepsGenerations = true })
	r.expectTruth()
}
