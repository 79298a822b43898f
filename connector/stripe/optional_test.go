package stripe_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// TestRefusedExpansionsAffectOnlyTheirStream uses a key that may not read what a page expands.
func TestRefusedExpansionsAffectOnlyTheirStream(t *testing.T) {
	for _, mode := range []string{"auto", "reread"} {
		r := newImpatientReplica(t, mode, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/customers": 40}}, "customers", "cards", "bank_accounts", "customer_tax_ids")
		lift := r.stripe.Inject(stripetest.Fault{Kind: stripetest.PermissionMissing, Query: "data.sources", Reason: "rak_source_read"})
		defer lift()
		defer r.stripe.Inject(stripetest.Fault{Kind: stripetest.PermissionMissing, Path: "/v1/customers/{customer}/sources", Reason: "rak_source_read"})()
		defer r.stripe.Inject(stripetest.Fault{Kind: stripetest.PermissionMissing, Path: "/v1/customers/{id}", Query: "expand[]=sources", Reason: "rak_source_read"})()
		for round := range 2 {
			_, summary := r.sync()
			for _, s := range summary.Streams {
				want := connector.Complete
				if s.Stream == "cards" || s.Stream == "bank_accounts" {
					want = connector.Skipped
				}
				if s.Status != want || want == connector.Skipped && !strings.Contains(s.Failure.Message, "rak_source_read") {
					t.Errorf("%s, round %d: %s is %s: %v", mode, round, s.Stream, s.Status, s.Failure)
				}
			}
			if n := len(r.rows["customers"]); n != 40 {
				t.Errorf("%s: %d of 40 customers", mode, n)
			}
			if n := len(r.rows["customer_tax_ids"]); n == 0 {
				t.Errorf("%s: no tax ids", mode)
			}
			r.clock = r.clock.Add(time.Hour)
			ok(t, r.stripe.Update(r.ids("/v1/customers")[3]))
			r.clock = r.clock.Add(time.Minute)
		}
	}
}

// TestEndlessLists checks that a list that doesn't end affects only its own stream and takes few requests.
func TestEndlessLists(t *testing.T) {
	for name, kind := range map[string]stripetest.FaultKind{
		"the first page forever": stripetest.RepeatedPage, "overlapping pages": stripetest.OverlappingPages,
		"has_more forever": stripetest.MoreForever, "empty pages": stripetest.EmptyPage, "every cursor is gone": stripetest.CursorAgedOut,
	} {
		for _, path := range []string{"/v1/charges", "/v1/payment_links", "/v1/invoices/{invoice}/lines", "/v1/events"} {
			t.Run(name+" of "+path, func(t *testing.T) {
				t.Parallel()
				objects := map[string]int{"*": 0, "/v1/charges": 250, "/v1/payment_links": 250, "/v1/invoices": 2, "/v1/invoices/{invoice}/lines": 230, "/v1/customers": 5}
				streams := []string{"charges", "payment_links", "invoices", "invoice_line_items", "customers"}
				r := newImpatientReplica(t, "", stripetest.Options{Objects: objects}, streams...)
				if path == "/v1/events" {
					r.sync()
					r.clock = r.clock.Add(time.Hour)
					for _, id := range r.ids("/v1/charges")[:150] {
						ok(t, r.stripe.Update(id))
					}
					r.clock = r.clock.Add(time.Minute)
				}
				fault := stripetest.Fault{Kind: kind, Path: path}
				if kind == stripetest.CursorAgedOut {
					fault.Query = "starting_after"
				}
				defer r.stripe.Inject(fault)()
				_, summary := r.sync()
				if summary.Requests > 1000 {
					t.Errorf("%d requests, want at most 1000", summary.Requests)
				}
				for _, s := range summary.Streams {
					mine := path == "/v1/events" || path == map[string]string{"charges": "/v1/charges", "payment_links": "/v1/payment_links"}[s.Stream]
					switch {
					case s.Status == connector.Complete:
					case mine && s.Status == connector.Incomplete && s.Failure != nil && s.Failure.Class == connector.SourceData && strings.Contains(s.Failure.Message, "does not end"):
					default:
						t.Errorf("%s is %s: %v", s.Stream, s.Status, s.Failure)
					}
					if s.Stream == "invoice_line_items" && path == "/v1/invoices/{invoice}/lines" && kind != stripetest.OverlappingPages && kind != stripetest.CursorAgedOut && s.SetAsideTotal == 0 {
						t.Errorf("no line items are set aside: %+v", s)
					}
				}
			})
		}
	}
}

// TestListsWithoutFilter checks that a list without a filter by creation time is read up to the object that fails, and that
// the failure names that position.
func TestListsWithoutFilter(t *testing.T) {
	r := newImpatientReplica(t, "", stripetest.Options{Objects: map[string]int{"*": 0, "/v1/payment_links": 50, "/v1/charges": 5}}, "payment_links", "charges")
	defer r.stripe.Break(r.nth("/v1/payment_links", 0), stripetest.ServerError)()
	_, summary := r.sync()
	for _, s := range summary.Streams {
		switch {
		case s.Stream == "charges" && s.Status == connector.Complete:
		case s.Stream == "payment_links" && s.Status == connector.Incomplete && s.Upserts > 0 && strings.Contains(s.Failure.Message, "after \"plink_"):
		default:
			t.Errorf("%s is %s after %d: %v", s.Stream, s.Status, s.Upserts, s.Failure)
		}
	}
}

// TestTooManySetAside checks that a stream with more troubles than a state can hold fails and says why, and that nothing is
// lost once they are over.
func TestTooManySetAside(t *testing.T) {
	for name, fault := range map[string]stripetest.Fault{
		"children": {Kind: stripetest.ServerError, Path: "/v1/invoices/{invoice}/lines"},
		"changes":  {Kind: stripetest.ServerError, Path: "/v1/invoices/{id}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newImpatientReplica(t, "reread", stripetest.Options{Objects: map[string]int{"*": 0, "/v1/invoices": 120, "/v1/invoices/{invoice}/lines": 11, "/v1/charges": 5}}, "invoices", "invoice_line_items", "charges")
			failed := "invoice_line_items"
			if name == "changes" {
				failed = "invoices"
				r.sync()
				r.clock = r.clock.Add(time.Hour)
				for _, id := range r.ids("/v1/invoices") {
					ok(t, r.stripe.Update(id))
				}
				r.clock = r.clock.Add(time.Minute)
			}
			end := r.stripe.Inject(fault)
			_, summary := r.sync()
			for _, s := range summary.Streams {
				switch {
				case s.Stream == "charges" && s.Status == connector.Complete:
				case s.Stream == "invoices" && failed != "invoices" && s.Status == connector.Complete && s.SetAsideTotal == 0:
				case s.Stream == "invoice_line_items" && failed != s.Stream:
				case s.Stream == failed && s.Status == connector.Incomplete && strings.Contains(s.Failure.Message, "More than 100"):
				default:
					t.Errorf("%s is %s with %d set aside: %v", s.Stream, s.Status, s.SetAsideTotal, s.Failure)
				}
			}
			end()
			for range 6 {
				r.clock = r.clock.Add(25 * time.Hour)
				r.sync()
			}
			r.expectTruth()
		})
	}
}
