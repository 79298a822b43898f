package stripe_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// logged returns the log entries that contain text.
func (r *recorder) logged(text string) []string {
	var all []string
	for _, m := range r.messages {
		if entry, ok := m.(*connector.LogEntry); ok && strings.Contains(entry.Message, text) {
			all = append(all, entry.Message)
		}
	}
	return all
}

// expectComplete checks that all streams are COMPLETE and that nothing is set aside.
func (r *replica) expectComplete(summary connector.Summary) {
	r.t.Helper()
	for _, s := range summary.Streams {
		if s.Status != connector.Complete || s.SetAsideTotal != 0 {
			r.t.Errorf("%s is %s with %d items set aside: %v", s.Stream, s.Status, s.SetAsideTotal, s.Failure)
		}
	}
}

// TestOddEvents mixes events of unknown types, events without an id, and payloads without an id with others. Each is logged
// once, the others are applied, and a reconciliation repairs the rows.
func TestOddEvents(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/customers": 6, "/v1/charges": 130, "/v1/invoices": 3}}, "customers", "charges", "invoices", "events")
	r.sync()
	r.clock = r.clock.Add(time.Hour)
	emit := func(kind, id string, edits ...stripetest.Edit) string {
		ok(t, r.stripe.Silent().Update(id))
		return must[string](t)(r.stripe.Emit(kind, id, edits...))
	}
	customers, charges, invoice := r.ids("/v1/customers"), r.ids("/v1/charges"), r.ids("/v1/invoices")[0]
	for _, id := range customers[:3] {
		emit("customer.levitated", id)
	}
	emit("customer.updated", customers[3])
	emit("charge.updated", charges[0], stripetest.Edit{Property: "data.object.id"})
	emit("charge.updated", charges[1], stripetest.Edit{Property: "data.object.id", JSON: "null"})
	emit("charge.updated", charges[2])
	must[string](t)(r.stripe.Emit("invoice.upcoming", invoice)) // shows no id, as documented
	anonymous := emit("charge.updated", charges[3])
	must[func()](t)(r.stripe.Distort(anonymous, stripetest.Edit{Property: "id"}))
	r.clock = r.clock.Add(time.Minute)
	sink, summary := r.sync()
	r.expectComplete(summary)
	want := []string{
		`Stripe lists 3 events of the type "customer.levitated", which this release doesn't know. Streams with a pattern that matches the type apply them.`,
		`Stripe lists 2 events of the type "charge.updated" with an object that has no id, so the change can't be applied: run reconcile or a full refresh.`,
		`Stripe lists 1 event without an id or a creation time, which can't be applied: run reconcile or a full refresh.`,
	}
	if diff := cmp.Diff(want, sink.logged("Stripe lists")); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	lacking := []string{"charges " + charges[0], "charges " + charges[1], "charges " + charges[3]}
	r.expectLacking(lacking...)
	r.streams = slices.DeleteFunc(r.streams, func(s connector.Stream) bool { return s.Name == "events" })
	r.sync(reconcile)
	r.expectLacking()
}

// expectLacking compares the rows that are missing or stale, apart from events.
func (r *replica) expectLacking(want ...string) {
	r.t.Helper()
	var got []string
	for _, row := range r.lacking() {
		if !strings.HasPrefix(row, "events ") {
			got = append(got, row)
		}
	}
	if diff := cmp.Diff(sorted(want), sorted(got)); diff != "" {
		r.t.Errorf("missing or stale (-want +got):\n%s", diff)
	}
}

// TestPagesThatEndWithoutAnID removes the ids of the last objects of a page that others follow, in a list and in the events. All
// other objects arrive.
func TestPagesThatEndWithoutAnID(t *testing.T) {
	noID := stripetest.Edit{Property: "id", JSON: "null"}
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/charges": 5, "/v1/payment_links": 230}}, "charges", "payment_links")
	links := r.ids("/v1/payment_links") // in the order of the list, which is read page by page because it has no filter by time
	for _, id := range []string{links[98], links[99], links[120]} {
		must[func()](t)(r.stripe.Distort(id, noID))
	}
	sink, summary := r.sync()
	r.expectComplete(summary)
	if n := len(r.rows["payment_links"]); n != 227 {
		t.Errorf("%d payment links, want all 227 with an id", n)
	}
	if logged := sink.logged("without an id"); len(logged) == 0 || !strings.Contains(logged[len(logged)-1], "3 so far") {
		t.Errorf("logged %q", logged)
	}
	charges := r.ids("/v1/charges")
	r.clock = r.clock.Add(time.Hour)
	for range 150 {
		ok(t, r.stripe.Update(charges[0]))
	}
	r.clock = r.clock.Add(time.Minute)
	for _, id := range r.ids("/v1/events")[97:100] {
		must[func()](t)(r.stripe.Distort(id, noID))
	}
	sink, summary = r.sync()
	r.expectComplete(summary)
	if logged := sink.logged("without an id"); len(logged) != 1 || !strings.Contains(logged[0], "3 events") {
		t.Errorf("logged %q", logged)
	}
}

// TestOptionalEndpoints takes away the account or the events, before the first sync or after it. Every stream is COMPLETE and
// equals the truth: without events because everything is re-read, which a warning says.
func TestOptionalEndpoints(t *testing.T) {
	kinds := map[string]stripetest.FaultKind{
		"permission missing": stripetest.PermissionMissing, "not for OAuth": stripetest.OAuthNotSupported, "unrecognized": stripetest.UnrecognizedURL, "not enabled": stripetest.FeatureNotEnabled,
	}
	for _, path := range []string{"/v1/account", "/v1/events"} {
		for name, kind := range kinds {
			for _, first := range []int{0, 1} {
				t.Run(fmt.Sprintf("%s %s from sync %d", path, name, first), func(t *testing.T) {
					t.Parallel()
					r := newImpatientReplica(t, "", stripetest.Options{Objects: map[string]int{"*": 0, "/v1/coupons": 8, "/v1/charges": 8}}, "coupons", "charges")
					end := func() {}
					for sync := range 4 {
						if sync == first {
							end = r.stripe.Inject(stripetest.Fault{Kind: kind, Path: path})
						}
						if sync == 3 {
							end()
						}
						sink, summary := r.sync()
						r.expectComplete(summary)
						r.expectTruth()
						lost := path == "/v1/events" && sync >= first && sync < 3
						if warned := len(sink.logged("re-reads everything")) > 0; warned != lost {
							t.Errorf("sync %d: warned: %t, want %t", sync, warned, lost)
						}
						r.clock = r.clock.Add(time.Hour)
						ok(t, r.stripe.Update(r.ids("/v1/charges")[sync]))
						ok(t, r.stripe.Delete(r.ids("/v1/coupons")[0]))
						r.clock = r.clock.Add(time.Minute)
					}
				})
			}
		}
	}
}

// TestLargeObjects reads an object of 5 MB and an id of 5,000 letters, in lists, in payloads and as an event.
func TestLargeObjects(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/charges": 9}}, "charges", "events")
	large, long := r.ids("/v1/charges")[3], r.ids("/v1/charges")[5]
	id := strings.Trim(stripetest.Text(5000), `"`)
	must[func()](t)(r.stripe.Distort(large, stripetest.Edit{Property: "description", JSON: stripetest.Text(5 << 20)}))
	must[func()](t)(r.stripe.Distort(long, stripetest.Edit{Property: "id", JSON: stripetest.Text(5000)}))
	check := func(stream, id string, size int) {
		t.Helper()
		for _, row := range r.rows[stream] {
			if row.data["id"] == id {
				if text := fmt.Sprint(row.data); len(text) < size {
					t.Errorf("%s %.20s has %d bytes, want %d", stream, id, len(text), size)
				}
				return
			}
		}
		t.Errorf("%s %.20s is missing", stream, id)
	}
	_, summary := r.sync()
	r.expectComplete(summary)
	check("charges", large, 5<<20)
	check("charges", id, 5000)
	r.clock = r.clock.Add(time.Hour)
	clear(r.rows["charges"])
	ok(t, r.stripe.Update(large))
	ok(t, r.stripe.Update(long))
	ok(t, r.stripe.Update(r.ids("/v1/charges")[0]))
	event := r.ids("/v1/events")[0]
	must[func()](t)(r.stripe.Distort(event, stripetest.Edit{Property: "id", JSON: stripetest.Text(5000)}))
	r.clock = r.clock.Add(time.Minute)
	_, summary = r.sync()
	r.expectComplete(summary)
	check("charges", large, 5<<20)
	check("charges", id, 5000)
	check("events", id, 5000)
	if n := len(r.rows["charges"]); n != 3 {
		t.Errorf("%d charges changed, want 3", n)
	}
	for _, state := range r.states {
		if len(state.State) > 8192 {
			t.Errorf("the state of %s has %d bytes", state.Stream, len(state.State))
		}
	}
}
