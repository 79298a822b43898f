package stripe_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// shape returns the names of all members of a value, at any depth, with those of objects in arrays.
func shape(value any) any {
	switch v := value.(type) {
	case map[string]any:
		names := map[string]any{}
		for name, inner := range v {
			names[name] = shape(inner)
		}
		return names
	case []any:
		if len(v) > 0 {
			return []any{shape(v[0])}
		}
	}
	return nil
}

// TestColumnsThroughReferences selects fields of objects that Stripe shows as ids, and holds that a row has one shape however it
// was read: from a list, from an object that changed, or as a child.
func TestColumnsThroughReferences(t *testing.T) {
	fields := map[string][]string{
		"charges":            {"amount", "customer.email", "payment_intent.customer.name"},
		"invoices":           {"id", "discounts[].coupon.name"},
		"invoice_line_items": {"amount", "subscription.status"},
		"subscription_items": {"price.product.name"},
	}
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/charges": 60, "/v1/customers": 10, "/v1/invoices": 30,
		"/v1/payment_intents": 40, "/v1/subscriptions": 20, "/v1/prices": 8, "/v1/products": 4, "/v1/coupons": 3}},
		"charges", "invoices", "invoice_line_items", "subscription_items")
	choose := func(req *connector.ReadRequest) {
		for i := range req.Streams {
			req.Streams[i].Fields = fields[req.Streams[i].Stream]
		}
	}
	sink, _ := r.sync(choose)
	full := map[string]map[string]any{}
	for stream := range fields {
		for _, record := range sink.records(stream) {
			var row map[string]any
			ok(t, json.Unmarshal([]byte(record.Data), &row))
			if full[stream] == nil {
				full[stream] = map[string]any{}
			}
			full[stream][record.Key] = row
		}
	}
	for stream, path := range map[string]string{
		"charges": "customer email", "invoices": "discounts coupon name", "invoice_line_items": "subscription status", "subscription_items": "price product name",
	} {
		if !has(full[stream], strings.Fields(path)) {
			t.Errorf("%s: no row has %s", stream, path)
		}
	}
	r.clock = r.clock.Add(time.Hour)
	for _, path := range []string{"/v1/charges", "/v1/invoices", "/v1/subscriptions"} {
		for _, id := range r.ids(path)[:5] {
			ok(t, r.stripe.Update(id))
		}
	}
	r.clock = r.clock.Add(time.Hour)
	sink, _ = r.sync(choose)
	changed := 0
	for stream := range fields {
		for _, record := range sink.records(stream) {
			if record.Operation != connector.Upsert {
				continue
			}
			changed++
			var row map[string]any
			ok(t, json.Unmarshal([]byte(record.Data), &row))
			if diff := cmp.Diff(shape(full[stream][record.Key]), shape(row)); diff != "" {
				t.Errorf("%s: %s has another shape after a change (-list +change): %s", stream, record.Key, diff)
			}
		}
	}
	if changed < 20 {
		t.Errorf("%d rows changed", changed)
	}
}

// has reports whether a value has members on a path somewhere; those of maps by id, and arrays, are transparent.
func has(value any, path []string) bool {
	if len(path) == 0 {
		return value != nil
	}
	switch v := value.(type) {
	case map[string]any:
		if inner, ok := v[path[0]]; ok {
			return has(inner, path[1:])
		}
		for _, inner := range v {
			if object, ok := inner.(map[string]any); ok && has(object, path) {
				return true
			}
		}
	case []any:
		for _, inner := range v {
			if has(inner, path) {
				return true
			}
		}
	}
	return false
}

// TestRefusedColumnsCostTheColumn has a key that may not read one of several things that are expanded.
func TestRefusedColumnsCostTheColumn(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/customers": 40}}, "customers", "cards")
	defer r.stripe.Inject(stripetest.Fault{Kind: stripetest.PermissionMissing, Query: "=data.tax&", Reason: "rak_tax_settings_read"})()
	defer r.stripe.Inject(stripetest.Fault{Kind: stripetest.PermissionMissing, Query: "=tax&", Reason: "rak_tax_settings_read"})()
	sink, summary := r.sync(func(req *connector.ReadRequest) {
		for i := range req.Streams {
			if req.Streams[i].Stream == "customers" {
				req.Streams[i].Fields = []string{"*", "tax", "invoice_credit_balance"}
			}
		}
	})
	for _, s := range summary.Streams {
		if s.Status != connector.Complete {
			t.Errorf("%s is %s: %v", s.Stream, s.Status, s.Failure)
		}
	}
	with, without := 0, 0
	for _, record := range sink.records("customers") {
		if strings.Contains(record.Data, `"invoice_credit_balance":`) {
			with++
		}
		if !strings.Contains(record.Data, `"tax":`) {
			without++
		}
	}
	if with != 40 || without != 40 {
		t.Errorf("of 40 customers, %d have what may be read, %d lack what may not", with, without)
	}
	if !sink.hasLog("Stripe refuses to show tax, which stays empty.") {
		t.Error("nothing says which column stays empty, and why")
	}
}

// TestOtherColumnsMeanANewGeneration changes what is asked for between two Reads.
func TestOtherColumnsMeanANewGeneration(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/customers": 12, "/v1/prices": 5, "/v1/products": 2}}, "customers", "prices")
	r.sync()
	r.clock = r.clock.Add(time.Hour)
	sink, _ := r.sync(func(req *connector.ReadRequest) {
		for i := range req.Streams {
			if req.Streams[i].Stream == "customers" {
				req.Streams[i].Fields = []string{"*", "tax"}
			}
		}
	})
	if n := len(sink.records("customers")); n != 12 {
		t.Errorf("%d of 12 customers were read with the new column", n)
	}
	if n := len(sink.records("prices")); n != 0 {
		t.Errorf("%d prices were re-read", n)
	}
	if !sink.hasLog("Stripe is now asked to expand tax, and was asked to expand nothing before") {
		t.Error("no log entry says why the customers are re-read")
	}
}

// TestCostOfColumns holds what docs/streams.md says of requests: none while lists are read, one for each object that changed.
func TestCostOfColumns(t *testing.T) {
	requests := map[bool][2]int64{}
	for _, more := range []bool{false, true} {
		r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/customers": 60}}, "customers")
		choose := func(req *connector.ReadRequest) {
			if more {
				req.Streams[0].Fields = []string{"*", "tax"}
			}
		}
		_, listed := r.sync(choose)
		for _, id := range r.ids("/v1/customers") {
			r.clock = r.clock.Add(time.Minute)
			ok(t, r.stripe.Update(id))
		}
		r.clock = r.clock.Add(time.Hour)
		_, changed := r.sync(choose)
		requests[more] = [2]int64{listed.Requests, changed.Requests}
	}
	if without, with := requests[false], requests[true]; with[0] != without[0] || with[1] != without[1]+60 {
		t.Errorf("lists took %d requests, and %d with a column on request; 60 changes %d and %d", without[0], with[0], without[1], with[1])
	}
}

// TestRefusedStreamsDontBlameColumns uses a key that may not read prices at all, whose tiers are expanded by default.
func TestRefusedStreamsDontBlameColumns(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/prices": 5, "/v1/products": 2}}, "prices", "products")
	defer r.stripe.Inject(stripetest.Fault{Kind: stripetest.PermissionMissing, Path: "/v1/prices", Reason: "rak_plan_read"})()
	sink, summary := r.sync()
	for _, s := range summary.Streams {
		if skipped := s.Stream == "prices"; (s.Status == connector.Skipped) != skipped {
			t.Errorf("%s is %s: %v", s.Stream, s.Status, s.Failure)
		}
	}
	if sink.hasLog("Stripe refuses to show") {
		t.Error("columns are blamed for a stream that is refused")
	}
}
