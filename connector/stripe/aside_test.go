package stripe_test

import (
	"encoding/json"
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

// trouble is something that Stripe fails to return for a while.
type trouble struct {
	streams []string
	objects map[string]int
	mode    string // update_mode; auto by default
	later   bool   // the trouble and the changes begin after the first sync
	// begin starts the trouble. It returns a function that ends it, the names of the items to be set aside, and the rows
	// that are then missing or stale, as "stream id".
	begin func(t *testing.T, r *replica) (end func(), aside, lacking []string)
}

// TestTroubleIsIsolated checks that a problem with one object affects only that object: the streams are COMPLETE, all other
// rows are correct, and so is the object's as soon as Stripe can return it again.
func TestTroubleIsIsolated(t *testing.T) {
	for name, c := range troubles() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.objects["*"] = 0
			r := newImpatientReplica(t, c.mode, stripetest.Options{Seed: 3, Objects: c.objects, ShuffleTies: true}, c.streams...)
			if c.later {
				r.sync()
				r.expectTruth()
				r.clock = r.clock.Add(time.Hour)
			}
			end, aside, lacking := c.begin(t, r)
			r.clock = r.clock.Add(time.Minute)
			r.expectAside(aside, lacking)
			r.clock = r.clock.Add(15 * time.Minute) // due for a retry, which fails
			r.expectAside(aside, lacking)
			end()
			r.clock = r.clock.Add(25 * time.Hour)
			r.expectAside(nil, nil)
		})
	}
}

// brokenPage returns a trouble in which responses that contain one object fail as kind says.
func brokenPage(kind stripetest.FaultKind) trouble {
	return trouble{
		streams: []string{"charges", "customers"}, objects: map[string]int{"/v1/charges": 130, "/v1/customers": 5},
		begin: func(_ *testing.T, r *replica) (func(), []string, []string) {
			id := r.nth("/v1/charges", 60)
			return r.stripe.Break(id, kind), []string{"charges created at " + r.createdAt("/v1/charges", id)}, []string{"charges " + id}
		},
	}
}

// refused returns a trouble in which a changed object can't be re-read.
func refused(kind stripetest.FaultKind) trouble {
	return trouble{
		streams: []string{"charges", "customers"}, objects: map[string]int{"/v1/charges": 10, "/v1/customers": 5}, mode: "reread", later: true,
		begin: func(t *testing.T, r *replica) (func(), []string, []string) {
			id := r.nth("/v1/charges", 5)
			for _, changed := range []string{id, r.nth("/v1/charges", 6), r.nth("/v1/customers", 1)} {
				ok(t, r.stripe.Update(changed))
			}
			return r.stripe.Inject(stripetest.Fault{Kind: kind, Object: id}), []string{id}, []string{"charges " + id}
		},
	}
}

// distorted returns a trouble in which an invoice's embedded list is not a list. No row is missing, because the list has
// its own endpoint.
func distorted(edits ...stripetest.Edit) trouble {
	return trouble{
		streams: []string{"invoices", "invoice_line_items"}, objects: map[string]int{"/v1/invoices": 10},
		begin: func(t *testing.T, r *replica) (func(), []string, []string) {
			id := r.nth("/v1/invoices", 5)
			restore, err := r.stripe.Distort(id, edits...)
			ok(t, err)
			return func() { restore(); ok(t, r.stripe.Update(id)) }, nil, nil
		},
	}
}

func troubles() map[string]trouble {
	all := map[string]trouble{
		"a changed object is refused with 400":   refused(stripetest.ObjectRefused),
		"a changed object is refused with 403":   refused(stripetest.PermissionMissing),
		"a changed object fails forever":         refused(stripetest.ServerError),
		"a changed object arrives damaged":       refused(stripetest.Truncated),
		"a changed object is something else":     refused(stripetest.WrongContent),
		"a page with one object fails":           brokenPage(stripetest.ServerError),
		"a page with one object is cut short":    brokenPage(stripetest.Truncated),
		"a page with one object breaks off":      brokenPage(stripetest.Dropped),
		"an embedded list is an empty object":    distorted(stripetest.Edit{Property: "lines", JSON: "{}"}),
		"an embedded list is null":               distorted(stripetest.Edit{Property: "lines", JSON: "null"}),
		"an embedded list is a text":             distorted(stripetest.Edit{Property: "lines", JSON: `"il_1"`}),
		"an embedded list is an array":           distorted(stripetest.Edit{Property: "lines", JSON: `[]`}),
		"an embedded list lacks has_more":        distorted(stripetest.Edit{Property: "lines.has_more"}),
		"an embedded list lacks data":            distorted(stripetest.Edit{Property: "lines.data"}),
		"an embedded list is missing":            distorted(stripetest.Edit{Property: "lines"}),
		"an object has 2 MiB":                    distorted(stripetest.Edit{Property: "description", JSON: stripetest.Text(2 << 20)}),
		"an embedded list has more, and no data": distorted(stripetest.Edit{Property: "lines.has_more", JSON: "true"}, stripetest.Edit{Property: "lines.data", JSON: "[]"}),
	}
	all["the list of one parent's children fails"] = trouble{
		streams: []string{"invoices", "invoice_line_items"}, objects: map[string]int{"/v1/invoices": 8, "/v1/invoices/{invoice}/lines": 25},
		begin: func(_ *testing.T, r *replica) (func(), []string, []string) {
			id := r.nth("/v1/invoices", 5)
			end := r.stripe.Inject(stripetest.Fault{Kind: stripetest.ServerError, Path: "/v1/invoices/{invoice}/lines", Object: id})
			return end, []string{"lines of " + id}, r.linesBeyond(id)
		},
	}
	all["the newest, the oldest and two adjacent objects break pages"] = trouble{
		streams: []string{"charges"}, objects: map[string]int{"/v1/charges": 120},
		begin: func(_ *testing.T, r *replica) (func(), []string, []string) {
			var ends []func()
			var aside, lacking []string
			for _, n := range []int{119, 60, 61, 0} {
				id := r.nth("/v1/charges", n)
				ends = append(ends, r.stripe.Break(id, stripetest.ServerError))
				aside, lacking = append(aside, "charges created at "+r.createdAt("/v1/charges", id)), append(lacking, "charges "+id)
			}
			return func() {
				for _, end := range ends {
					end()
				}
			}, aside, lacking
		},
	}
	all["one event's payload has the shape of another version"] = trouble{
		streams: []string{"invoices", "invoice_line_items"}, objects: map[string]int{"/v1/invoices": 8}, mode: "payload", later: true,
		begin: func(t *testing.T, r *replica) (func(), []string, []string) {
			r.stripe.SetOldEvents(stripetest.OldShape{Share: 1, Version: "2012-09-24", Edits: map[string][]stripetest.Edit{
				"invoice": {{Property: "lines", JSON: `{"invoiceitems":[],"prorations":[],"subscriptions":[]}`}},
			}})
			id := r.nth("/v1/invoices", 5)
			ok(t, r.stripe.Update(id))
			r.stripe.SetOldEvents(stripetest.OldShape{})
			ok(t, r.stripe.Update(r.nth("/v1/invoices", 6)))
			return func() { ok(t, r.stripe.Update(id)) }, nil, []string{"invoices " + id}
		},
	}
	all["what an update lists below its object fails"] = trouble{
		streams: []string{"invoices", "invoice_line_items"}, objects: map[string]int{"/v1/invoices": 8, "/v1/invoices/{invoice}/lines": 25}, later: true,
		begin: func(t *testing.T, r *replica) (func(), []string, []string) {
			id := r.nth("/v1/invoices", 5)
			ok(t, r.stripe.Update(id))
			ok(t, r.stripe.Update(r.nth("/v1/invoices", 6)))
			end := r.stripe.Inject(stripetest.Fault{Kind: stripetest.ServerError, Path: "/v1/invoices/{invoice}/lines", Object: id})
			var stale []string // they change together with their invoice
			for line := range r.stripe.Truth("/v1/invoices/" + id + "/lines") {
				stale = append(stale, "invoice_line_items "+line)
			}
			return end, []string{"lines of " + id}, stale
		},
	}
	all["the part of a list that an event names fails"] = trouble{
		streams: []string{"charges", "refunds"}, objects: map[string]int{"/v1/charges": 8, "/v1/refunds": 8}, later: true,
		begin: func(t *testing.T, r *replica) (func(), []string, []string) {
			refund, err := r.stripe.Create("/v1/refunds")
			ok(t, err)
			charge := r.stripe.Relation(refund, "charge")
			end := r.stripe.Inject(stripetest.Fault{Kind: stripetest.ServerError, Path: "/v1/refunds", Query: "charge=" + charge})
			return end, []string{"refunds of " + charge}, []string{"refunds " + refund}
		},
	}
	return all
}

// newImpatientReplica returns a replica whose Source stops retrying requests quickly.
func newImpatientReplica(t *testing.T, mode string, o stripetest.Options, streams ...string) *replica {
	t.Helper()
	r := newReplica(t, o, streams...)
	transport := api.NewTransport()
	t.Cleanup(func() { transport.(interface{ CloseIdleConnections() }).CloseIdleConnections() })
	r.source = stripe.New(stripe.Options{
		AllowedAPIBases: []string{r.stripe.URL}, Transport: transport, Now: func() time.Time { return r.clock },
		Retry: api.Retry{Initial: time.Millisecond, Max: 2 * time.Millisecond, Budget: 50 * time.Millisecond, Attempt: 5 * time.Second},
	})
	if mode != "" {
		r.config = strings.Replace(r.config, "{", fmt.Sprintf(`{"update_mode":%q,`, mode), 1)
	}
	return r
}

// expectAside syncs and compares the names of set-aside items, and the rows that are missing or stale.
func (r *replica) expectAside(aside, lacking []string) {
	r.t.Helper()
	sink, summary := r.sync()
	var got []string
	for _, s := range summary.Streams {
		if s.Status != connector.Complete {
			r.t.Errorf("%s is %s: %+v", s.Stream, s.Status, s.Failure)
		}
		for _, what := range s.SetAside {
			got = append(got, what.Key)
			if what.Failure == nil || what.Failure.Message == "" || strings.Contains(what.Failure.Message, "bug") || what.Attempts < 1 || what.Since.IsZero() {
				r.t.Errorf("%s is set aside with %+v", what.Key, what)
			}
		}
		if want := slices.ContainsFunc(sink.logs(s.Stream), func(m string) bool { return strings.Contains(m, "set aside") }); want != (len(s.SetAside) > 0) {
			r.t.Errorf("%s sets aside %d items, but logs %q", s.Stream, len(s.SetAside), sink.logs(s.Stream))
		}
	}
	if diff := cmp.Diff(sorted(aside), sorted(got)); diff != "" {
		r.t.Errorf("set aside (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(sorted(lacking), r.lacking()); diff != "" {
		r.t.Errorf("missing or stale (-want +got):\n%s", diff)
	}
}

// lacking returns the rows that are missing or stale, or should have been deleted.
func (r *replica) lacking() []string {
	var all []string
	for _, stream := range r.streams {
		object, path := path(stream)
		rows := map[string][]map[string]any{}
		for _, row := range r.rows[stream.Name] {
			id, _ := row.data["id"].(string)
			rows[id] = append(rows[id], row.data)
		}
		w := &world{Server: r.stripe}
		for id, objects := range w.truth(r.t, path) {
			for _, want := range objects {
				if want["object"] == object && !slices.ContainsFunc(rows[id], func(row map[string]any) bool { return includes(row, want) }) {
					all = append(all, stream.Name+" "+id)
				}
			}
			if len(objects) == len(rows[id]) {
				delete(rows, id)
			}
		}
		for id := range rows {
			if !slices.Contains(all, stream.Name+" "+id) {
				all = append(all, stream.Name+" "+id)
			}
		}
	}
	return sorted(all)
}

func sorted(names []string) []string {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	if len(names) == 0 {
		return nil
	}
	return names
}

func (r *recorder) logs(stream string) []string {
	var all []string
	for _, m := range r.messages {
		if entry, ok := m.(*connector.LogEntry); ok && entry.Stream == stream {
			all = append(all, entry.Message)
		}
	}
	return all
}

// nth returns the nth oldest object of a list.
func (r *replica) nth(path string, n int) string {
	created := func(id string) string { return r.createdAt(path, id) + id }
	ids := slices.SortedFunc(slices.Values(r.ids(path)), func(a, b string) int { return strings.Compare(created(a), created(b)) })
	return ids[n]
}

// createdAt returns the creation time of an object in the format used for names of set-aside items.
func (r *replica) createdAt(path, id string) string {
	w := &world{Server: r.stripe}
	at, _ := w.truth(r.t, path)[id][0]["created"].(float64)
	return time.Unix(int64(at), 0).UTC().Format(time.RFC3339)
}

// linesBeyond returns the rows of an invoice's lines that are not embedded in it.
func (r *replica) linesBeyond(invoice string) []string {
	w := &world{Server: r.stripe}
	var embedded struct {
		Lines struct{ Data []struct{ ID string } }
	}
	text, _ := json.Marshal(w.truth(r.t, "/v1/invoices")[invoice][0])
	ok(r.t, json.Unmarshal(text, &embedded))
	var all []string
	for id := range r.stripe.Truth("/v1/invoices/" + invoice + "/lines") {
		if !slices.ContainsFunc(embedded.Lines.Data, func(line struct{ ID string }) bool { return line.ID == id }) {
			all = append(all, "invoice_line_items "+id)
		}
	}
	return all
}
