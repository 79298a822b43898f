package stripetest

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestBrokenRetrieval breaks one charge permanently and one temporarily.
func TestBrokenRetrieval(t *testing.T) {
	c := newClock()
	s := New(c.options())
	ids, _ := readAll(t, s, "/v1/charges", "", "100")
	for kind, status := range map[FaultKind]int{ObjectRefused: 400, PermissionMissing: 403, NoSuchObject: 404, ServerError: 500} {
		remove := s.Inject(Fault{Kind: kind, Path: "/v1/charges/{id}", Object: ids[0]})
		for range 3 {
			if w := call(t, s, "/v1/charges/"+ids[0]); w.Code != status {
				t.Errorf("%d %s, want %d", w.Code, w.Body, status)
			}
		}
		fetch[page](t, s, "/v1/charges/"+ids[1])
		fetch[page](t, s, "/v1/charges/"+ids[0]+"/refunds")
		remove()
		fetch[page](t, s, "/v1/charges/"+ids[0])
	}
	s.Inject(Fault{Kind: ServerError, Object: ids[0], Until: c.now.Add(time.Minute)})
	s.Inject(Fault{Kind: ServerError, Object: ids[1], Times: 1})
	for want, id := range map[int]string{500: ids[0], 501: ids[1]} {
		if w := call(t, s, "/v1/charges/"+id); w.Code != 500 {
			t.Error(want, w.Code)
		}
	}
	c.wait(time.Minute)
	fetch[page](t, s, "/v1/charges/"+ids[0])
	fetch[page](t, s, "/v1/charges/"+ids[1])
}

// TestBrokenPage isolates the object that breaks pages, which requires shrinking them.
func TestBrokenPage(t *testing.T) {
	s := New(fixed())
	ids, _ := readAll(t, s, "/v1/charges", "", "100")
	repair := s.Break(ids[7], ServerError)
	for target, status := range map[string]int{
		"?limit=100": 500, "?limit=8": 500, "?limit=7": 200, "?limit=1&starting_after=" + ids[6]: 500,
		"?limit=1&starting_after=" + ids[7]: 200, "?limit=3&ending_before=" + ids[8]: 500, "/" + ids[7]: 500, "/" + ids[6]: 200,
		"/" + ids[7] + "/refunds": 500, "/" + ids[6] + "/refunds": 200,
	} {
		if w := call(t, s, "/v1/charges"+target); w.Code != status {
			t.Errorf("GET /v1/charges%s: %d, want %d", target, w.Code, status)
		}
	}
	if w := call(t, s, "/v1/charges?limit=1&starting_after="+ids[6]); !strings.Contains(w.Body.String(), `"api_error"`) {
		t.Error(w.Body)
	}
	repair()
	fetch[page](t, s, "/v1/charges?limit=100")
	fetch[page](t, s, "/v1/charges/"+ids[7])
}

// TestCutWithinObject cuts a page inside the object that breaks it, after the object's id.
func TestCutWithinObject(t *testing.T) {
	s, client := serve(t, fixed())
	ids, _ := readAll(t, s, "/v1/charges", "", "100")
	for kind, broken := range map[FaultKind]error{Truncated: nil, Dropped: io.ErrUnexpectedEOF} {
		remove := s.Inject(Fault{Kind: kind, Containing: ids[3]})
		_, body, err := try(t, t.Context(), client, s.URL+"/v1/charges?limit=10")
		if !errors.Is(err, broken) || json.Valid([]byte(body)) || !strings.Contains(body, ids[2]) || !strings.Contains(body, `"id": "`+ids[3]) || strings.Contains(body, ids[4]) {
			t.Errorf("%v\n%s", err, body[max(0, len(body)-200):])
		}
		if response, _, err := try(t, t.Context(), client, s.URL+"/v1/charges?limit=3"); err != nil || response.StatusCode != http.StatusOK {
			t.Error(response, err)
		}
		remove()
	}
}

// TestBrokenChildList breaks the lines of one invoice.
func TestBrokenChildList(t *testing.T) {
	options := fixed()
	options.Objects = map[string]int{"/v1/invoices/{invoice}/lines": 12}
	s := New(options)
	ids, _ := readAll(t, s, "/v1/invoices", "", "100")
	s.Inject(Fault{Kind: ServerError, Path: "/v1/invoices/{invoice}/lines", Object: ids[0]})
	if w := call(t, s, "/v1/invoices/"+ids[0]+"/lines"); w.Code != 500 {
		t.Error(w.Code)
	}
	fetch[page](t, s, "/v1/invoices/"+ids[1]+"/lines")
	fetch[page](t, s, "/v1/invoices/"+ids[0])
	want := maps.Collect(s.Truth("/v1/invoices/" + ids[0] + "/lines"))
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(s.Unreadable("/v1/invoices/{invoice}/lines")))); diff != "" || len(want) != 12 {
		t.Errorf("%d lines cannot be read: %s", len(want), diff)
	}
	if got := s.Unreadable("/v1/invoices"); len(got) > 0 {
		t.Errorf("invoices %v cannot be read", got)
	}
}

func TestUnreadable(t *testing.T) {
	c := newClock()
	s := New(c.options())
	charges, _ := readAll(t, s, "/v1/charges", "", "100")
	subscriptions, _ := readAll(t, s, "/v1/subscriptions", "", "100")
	items := maps.Collect(s.Truth("/v1/subscription_items"))
	want := func(when string, path string, ids ...string) {
		t.Helper()
		got := slices.Sorted(maps.Keys(s.Unreadable(path)))
		slices.Sort(ids)
		if diff := cmp.Diff(ids, got); diff != "" && len(ids)+len(got) > 0 {
			t.Errorf("%s, of %s: %s", when, path, diff)
		}
	}
	want("at first", "/v1/charges")
	retrieval := s.Inject(Fault{Kind: ServerError, Path: "/v1/charges/{id}", Object: charges[0]})
	s.Inject(Fault{Kind: Truncated, Containing: charges[1], Until: c.now.Add(time.Minute)})
	s.Inject(Fault{Kind: ServerError, Path: "/v1/charges"})
	s.Inject(Fault{Kind: ServerError, Path: "/v1/customers", Object: charges[2]})
	want("broken", "/v1/charges", charges[0], charges[1])
	retrieval()
	want("one repaired", "/v1/charges", charges[1])
	c.wait(time.Minute)
	want("all repaired", "/v1/charges")
	s.Break(subscriptions[0], ServerError)
	var below []string
	for id, raw := range items {
		if strings.Contains(string(raw), `"subscription":"`+subscriptions[0]) {
			below = append(below, id)
		}
	}
	want("a parent broken", "/v1/subscriptions", subscriptions[0])
	want("a parent broken", "/v1/subscription_items", below...)
	if len(below) == 0 {
		t.Error("the subscription has no items")
	}
	var customer string
	var taxIDs []string
	for id := range s.Truth("/v1/customers/{customer}/tax_ids") {
		if owner := s.Relation(id, "customer"); customer == "" || owner == customer {
			customer, taxIDs = owner, append(taxIDs, id)
		}
	}
	s.Inject(Fault{Kind: ServerError, Path: "/v1/customers/{customer}/sources", Object: customer})
	want("another list of the parent broken", "/v1/customers/{customer}/tax_ids")
	s.Inject(Fault{Kind: ServerError, Path: "/v1/customers/{id}", Object: customer})
	want("the parent's retrieval broken", "/v1/customers/{customer}/tax_ids", taxIDs...)
}

// TestFaultsByCaller injects faults for one account and for one key.
func TestFaultsByCaller(t *testing.T) {
	s := New(fixed())
	connected := s.ConnectedAccounts()[0]
	s.Inject(Fault{Kind: ServerError, Account: connected})
	s.Inject(Fault{Kind: BadGateway, Key: "sk_test_other"})
	for want, header := range map[int][]string{
		200: nil, 500: {"Stripe-Account", connected}, 502: {"Authorization", "Bearer sk_test_other"},
	} {
		if w := call(t, s, "/v1/charges", header...); w.Code != want {
			t.Errorf("%v: %d, want %d", header, w.Code, want)
		}
	}
}
