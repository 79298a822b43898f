package stripetest

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPagingIsComplete reads lists with pages of several sizes and compares them with the truth, including the case in which
// all objects were created in the same second.
func TestPagingIsComplete(t *testing.T) {
	t.Parallel()
	for name, density := range map[string]Density{"even": Even, "bursty": Bursty, "growing": Growing, "one second": OneSecond} {
		options := fixed()
		options.Density = density
		s := New(options)
		for _, path := range s.Paths() {
			target := lists(s)[path]
			path, query, _ := strings.Cut(target, "?")
			if route, _ := s.model.match(unescaped(path)); target == "" || route.route.unpaged {
				continue
			}
			var want []string
			sizes := []string{"100", "2", "1"}
			if name == "even" || name == "growing" {
				sizes = []string{"100", "13"}
			}
			for _, limit := range sizes {
				got, _ := readAll(t, s, path, query, limit)
				if want == nil {
					want = got
				}
				if !slices.Equal(want, got) {
					t.Errorf("%s: %s with pages of %s: %v, with pages of 100: %v", name, path, limit, got, want)
				}
			}
			if query == "" && !strings.HasPrefix(path, "/v1/payment_methods") && path != "/v1/subscriptions" {
				var truth []string
				for id := range s.Truth(path) {
					truth = append(truth, id)
				}
				if !slices.Equal(truth, want) {
					t.Errorf("%s: %s: the truth is %d objects, the list has %d", name, path, len(truth), len(want))
				}
			}
		}
	}
}

func TestTruthMatchesLists(t *testing.T) {
	s := New(fixed())
	for _, path := range []string{"/v1/charges", "/v1/invoices", "/v1/subscriptions", "/v1/customers", "/v1/events", "/v1/coupons"} {
		_, objects := readAll(t, s, path, map[bool]string{true: "status=all"}[path == "/v1/subscriptions"], "100")
		truth := maps.Collect(s.Truth(path))
		if len(truth) != len(objects) || len(truth) == 0 {
			t.Errorf("%s: the truth is %d objects, the list has %d", path, len(truth), len(objects))
		}
		for id, object := range objects {
			if got := compact(t, object); got != string(truth[id]) {
				t.Errorf("%s: %s: %s", path, id, cmp.Diff(string(truth[id]), got))
			}
		}
	}
}

// TestEndingBefore reads a list backward.
func TestEndingBefore(t *testing.T) {
	s := New(fixed())
	want, _ := readAll(t, s, "/v1/charges", "", "100")
	got := []string{want[len(want)-1]}
	for {
		p := fetch[page](t, s, "/v1/charges?limit=7&ending_before="+got[0])
		var ids []string
		for _, object := range p.Data {
			ids = append(ids, idOf(t, object))
		}
		got = append(ids, got...)
		if !p.HasMore {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestCreatedWindowsPartition divides the time span into windows and checks that every object is in exactly one.
func TestCreatedWindowsPartition(t *testing.T) {
	for name, density := range map[string]Density{"even": Even, "bursty": Bursty, "one second": OneSecond} {
		options := fixed()
		options.Density = density
		s := New(options)
		start, end := s.options.Start.Unix(), s.options.End.Unix()
		for _, path := range []string{"/v1/charges", "/v1/invoiceitems", "/v1/balance_transactions"} {
			seen := map[string]bool{}
			const windows = 13
			for i := range int64(windows) {
				from, to := start+(end-start)*i/windows, start+(end-start)*(i+1)/windows
				ids, _ := readAll(t, s, path, fmt.Sprintf("created[gte]=%d&created[lt]=%d", from, to), "3")
				other, _ := readAll(t, s, path, fmt.Sprintf("created[gt]=%d&created[lte]=%d", from-1, to-1), "100")
				if !slices.Equal(ids, other) {
					t.Errorf("%s: %s: gte and lt give %v, gt and lte %v", name, path, ids, other)
				}
				for _, id := range ids {
					if seen[id] {
						t.Errorf("%s: %s: %s is in two windows", name, path, id)
					}
					seen[id] = true
				}
			}
			if n := s.Count(path); len(seen) != n || n == 0 {
				t.Errorf("%s: %s: the windows have %d objects of %d", name, path, len(seen), n)
			}
		}
	}
}

// TestEmbeddedLists checks that every embedded list is the beginning of the full list.
func TestEmbeddedLists(t *testing.T) {
	t.Parallel()
	s := New(fixed())
	more := 0
	for path, at := range map[string]string{"/v1/invoices": "lines", "/v1/subscriptions?status=all": "items", "/v1/charges": "refunds",
		"/v1/customers": "sources", "/v1/credit_notes": "lines", "/v1/transfers": "reversals", "/v1/application_fees": "refunds",
		"/v1/checkout/sessions": "line_items", "/v1/accounts": "external_accounts", "/v1/radar/value_lists": "list_items",
		"/v1/files": "links"} {
		p := fetch[page](t, s, join(path, "limit=100&expand[]=data."+at))
		for _, object := range p.Data {
			parent := decode[map[string]any](t, object)
			list, ok := parent[at].(map[string]any)
			if !ok {
				t.Fatalf("%s: no %s in %.200s", path, at, object)
			}
			var embedded []string
			for _, item := range list["data"].([]any) {
				embedded = append(embedded, item.(map[string]any)["id"].(string))
			}
			address, err := url.Parse(list["url"].(string))
			if err != nil {
				t.Fatal(err)
			}
			all, _ := readAll(t, s, address.EscapedPath(), address.RawQuery, "100")
			if list["has_more"] != (len(all) > 10) || !slices.Equal(embedded, all[:min(len(all), 10)]) {
				t.Errorf("%s: %s: has_more %v, %v of %v", path, address, list["has_more"], embedded, all)
			}
			if len(all) > 10 {
				more++
			}
		}
	}
	if more < 10 {
		t.Errorf("only %d lists have more than ten items", more)
	}
}

func TestListParameters(t *testing.T) {
	s := New(fixed())
	charge := fetch[page](t, s, "/v1/charges?limit=1").Data[0]
	for target, want := range map[string]struct {
		status      int
		code, param string
	}{
		"/v1/charges?limit=0":                                           {400, "parameter_invalid_integer", "limit"},
		"/v1/charges?limit=101":                                         {400, "parameter_invalid_integer", "limit"},
		"/v1/charges?limit=abc":                                         {400, "parameter_invalid_integer", "limit"},
		"/v1/charges?created=yesterday":                                 {400, "parameter_invalid_integer", "created"},
		"/v1/charges?created[gte]=1.5":                                  {400, "parameter_invalid_integer", "created[gte]"},
		"/v1/charges?created[after]=1":                                  {400, "parameter_unknown", "created[after]"},
		"/v1/charges?foo=1":                                             {400, "parameter_unknown", "foo"},
		"/v1/charges?starting_after=ch_none":                            {400, "resource_missing", "starting_after"},
		"/v1/charges?ending_before=ch_none":                             {400, "resource_missing", "ending_before"},
		"/v1/charges?starting_after=":                                   {400, "parameter_invalid_empty", "starting_after"},
		"/v1/charges?customer=cus_none":                                 {400, "resource_missing", "customer"},
		"/v1/charges?include[]=total_count":                             {400, "parameter_unknown", "include[]"},
		"/v1/subscription_items":                                        {400, "parameter_missing", "subscription"},
		"/v1/subscriptions?status=bogus":                                {400, "", "status"},
		"/v1/products?active=maybe":                                     {400, "", "active"},
		"/v1/events?types=charge.succeeded":                             {400, "", "types"},
		"/v1/charges/ch_none":                                           {404, "resource_missing", "id"},
		"/v1/invoices/in_none/lines":                                    {404, "resource_missing", "invoice"},
		"/v1/charges?expand[]=customer":                                 {400, "", "expand"},
		"/v1/charges?expand[]=data.amount":                              {400, "", "expand"},
		"/v1/charges?expand[]=data.invoice.customer.default_source.foo": {400, "", "expand"},
		"/v1/nonsense":                                                  {404, "", ""},
		"/v1/charges?starting_after=" + idOf(t, charge) + "&ending_before=" + idOf(t, charge): {400, "", "ending_before"},
	} {
		status, e := errorOf(t, s, target)
		if status != want.status || e.Code != want.code || e.Param != want.param || e.Message == "" || e.Type != "invalid_request_error" {
			t.Errorf("GET %s: %d %+v, want %+v", target, status, e, want)
		}
	}
}
