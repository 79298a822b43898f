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
	for _, record := range sink.records("customers") {
		var last struct{ ID, Object string }
		if err := json.Unmarshal([]byte(record.Last), &last); err != nil {
			t.Fatalf("%v in %q", err, record.Last)
		}
		if record.Operation != connector.Delete || record.EventType != "customer.deleted" || last.ID != id || last.Object != "customer" {
			t.Errorf("got %v because of %s, of %+v", record.Operation, record.EventType, last)
		}
		return
	}
	t.Error("no record was sent")
}
