package stripetest

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func TestKeys(t *testing.T) {
	options := fixed()
	options.Keys = map[string]Key{
		"sk_test_good1234": {}, "rk_live_some1234": {Permissions: []string{"rak_charge_read"}}, "sk_test_late1234": {Expired: true},
	}
	s := New(options)
	for name, c := range map[string]struct {
		key, target   string
		status        int
		code, message string
	}{
		"none":                 {"", "/v1/charges", 401, "", "You did not provide an API key."},
		"unknown":              {"sk_test_other9999", "/v1/charges", 401, "", "Invalid API Key provided: sk_test_*****9999"},
		"malformed":            {"hello", "/v1/charges", 401, "", "Invalid API Key provided: "},
		"publishable":          {"pk_test_abc", "/v1/charges", 401, "secret_key_required", "publishable"},
		"expired":              {"sk_test_late1234", "/v1/charges", 401, "api_key_expired", "Expired API Key provided: sk_test_****1234"},
		"restricted":           {"rk_live_some1234", "/v1/invoices", 403, "", "Having the 'rak_invoice_read' permission would allow"},
		"restricted, child":    {"rk_live_some1234", "/v1/invoices/in_none/lines", 403, "", "rak_invoice_read"},
		"restricted, account":  {"rk_live_some1234", "/v1/account", 403, "", "does not have the required permissions"},
		"another's account":    {"sk_test_good1234", "/v1/charges", 403, "account_invalid", "does not have access to account 'acct_none'"},
		"restricted, no parts": {"rk_live_some1234", "/v1/charges/ch_none", 404, "resource_missing", "No such charge: 'ch_none'"},
	} {
		header := []string{"Authorization", "Bearer " + c.key}
		if name == "another's account" {
			header = append(header, "Stripe-Account", "acct_none")
		}
		status, e := errorOf(t, s, c.target, header...)
		if status != c.status || e.Code != c.code || !strings.Contains(e.Message, c.message) {
			t.Errorf("%s: %d %+v", name, status, e)
		}
		if c.key != "" && c.key != "hello" && strings.Contains(e.Message, c.key) {
			t.Errorf("%s: the message has the key: %s", name, e.Message)
		}
	}
	if p := fetch[page](t, s, "/v1/charges", "Authorization", "Bearer rk_live_some1234"); !strings.Contains(string(p.Data[0]), `"livemode": true`) {
		t.Error("a live key reads objects that are not in live mode")
	}
	if p := s.Permission("/v1/charges/{charge}/refunds"); p != "rak_charge_read" {
		t.Error(p)
	}
}

func TestAccounts(t *testing.T) {
	s := New(fixed())
	ids := s.ConnectedAccounts()
	if len(ids) != 3 {
		t.Fatal(ids)
	}
	seen := map[string]bool{}
	for _, id := range append(ids, "") {
		charges, _ := readAll(t, s, "/v1/charges", "", "100", "Stripe-Account", id)
		for _, charge := range charges {
			if seen[charge] {
				t.Errorf("%s is in two accounts", charge)
			}
			seen[charge] = true
		}
		account := fetch[struct{ ID, Object string }](t, s, "/v1/account", "Stripe-Account", id)
		if id != "" && account.ID != id || id == "" && account.ID != s.ID() || account.Object != "account" {
			t.Errorf("%q is %+v", id, account)
		}
		if id != "" && s.Connected(id).Count("/v1/charges") != len(charges) {
			t.Errorf("%s: %d charges of %d", id, len(charges), s.Connected(id).Count("/v1/charges"))
		}
	}
	listed, _ := readAll(t, s, "/v1/accounts", "", "100")
	slices.Sort(ids)
	slices.Sort(listed)
	if !slices.Equal(ids, listed) {
		t.Errorf("connected are %v, listed are %v", ids, listed)
	}
}

func TestNotEnabled(t *testing.T) {
	options := fixed()
	options.NotEnabled = []string{"issuing", "treasury"}
	s := New(options)
	if status, e := errorOf(t, s, "/v1/issuing/cards"); status != 400 || !strings.Contains(e.Message, "not set up to use Issuing") {
		t.Error(status, e)
	}
	if status, e := errorOf(t, s, "/v1/treasury/financial_accounts"); status != 404 || !strings.Contains(e.Message, "Have you onboarded to Treasury?") {
		t.Error(status, e)
	}
	fetch[page](t, s, "/v1/charges")
}

func TestDeletedObjects(t *testing.T) {
	s := New(fixed())
	customer := idOf(t, fetch[page](t, s, "/v1/customers?limit=1").Data[0])
	product := idOf(t, fetch[page](t, s, "/v1/products?limit=1").Data[0])
	for _, id := range []string{customer, product} {
		if err := s.Delete(id); err != nil {
			t.Fatal(err)
		}
	}
	gone := compact(t, call(t, s, "/v1/customers/"+customer).Body.Bytes())
	if want := `{"id":"` + customer + `","object":"customer","deleted":true}`; gone != want {
		t.Errorf("%s, want %s", gone, want)
	}
	if status, e := errorOf(t, s, "/v1/products/"+product); status != 404 || e.Code != "resource_missing" {
		t.Error(status, e)
	}
	if status, e := errorOf(t, s, "/v1/customers?starting_after="+customer); status != 400 || e.Param != "starting_after" {
		t.Error(status, e)
	}
	if status, e := errorOf(t, s, "/v1/customers/"+customer+"/sources"); status != 404 || e.Code != "resource_missing" {
		t.Error(status, e)
	}
	canceled := 0
	for _, text := range fetch[page](t, s, "/v1/subscriptions?status=all&limit=100").Data {
		v := decode[struct{ Customer, Status string }](t, text)
		if v.Customer == customer && v.Status != "canceled" {
			t.Errorf("a deleted customer has a subscription that is %s", v.Status)
		}
		canceled += len(v.Status) - len(strings.Replace(v.Status, "canceled", "", 1))
	}
	if canceled == 0 {
		t.Error("no subscription is canceled")
	}
}

// TestIDsWithSlashes retrieves objects with ids chosen by users.
func TestIDsWithSlashes(t *testing.T) {
	s := New(fixed())
	n := 0
	for id := range s.Truth("/v1/coupons") {
		if !strings.ContainsAny(id, "/ ?%+") {
			continue
		}
		n++
		got := fetch[struct{ ID string }](t, s, "/v1/coupons/"+escapePath(id))
		if got.ID != id {
			t.Errorf("%q is %q", id, got.ID)
		}
		fetch[page](t, s, "/v1/coupons?starting_after="+strings.ReplaceAll(escapePath(id), "+", "%2B"))
	}
	if n == 0 {
		t.Error("no coupon has such an id")
	}
}

func escapePath(id string) string {
	return strings.NewReplacer("%", "%25", "/", "%2F", " ", "%20", "?", "%3F", "&", "%26", "#", "%23").Replace(id)
}

func TestOnlyGET(t *testing.T) {
	s := New(fixed())
	request := get("/v1/charges")
	request.Method = http.MethodPost
	w := httptest.NewRecorder()
	s.ServeHTTP(w, request)
	if v := s.Violations(); w.Code != http.StatusMethodNotAllowed || len(v) != 1 || v[0] != "POST /v1/charges" {
		t.Error(w.Code, v)
	}
}

func TestHeadersAndGzip(t *testing.T) {
	options := fixed()
	plain := New(options)
	options.Gzip = true
	zipped := New(options)
	one, two := call(t, plain, "/v1/charges", "Accept-Encoding", "gzip"), call(t, zipped, "/v1/charges", "Accept-Encoding", "gzip")
	if one.Header().Get("Content-Encoding") != "" || two.Header().Get("Content-Encoding") != "gzip" || two.Body.Len()*3 > one.Body.Len() {
		t.Error(one.Header(), two.Header(), one.Body.Len(), two.Body.Len())
	}
	z, err := gzip.NewReader(two.Body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil || string(text) != one.Body.String() {
		t.Errorf("unzipped, the answer differs: %v", err)
	}
	h := call(t, plain, "/v1/charges", "Stripe-Version", "2023-10-16").Header()
	if h.Get("Request-Id") == "" || h.Get("Stripe-Version") != "2023-10-16" || h.Get("Content-Type") != "application/json" {
		t.Error(h)
	}
}

// TestLayout compares the layout with that of encoding/json, since Stripe indents by two spaces.
func TestLayout(t *testing.T) {
	t.Parallel()
	options := fixed()
	indented := New(options)
	options.Compact = true
	small := New(options)
	for path, target := range lists(indented) {
		w := call(t, indented, join(target, "limit=20"))
		if w.Code != http.StatusOK {
			w = call(t, indented, target)
		}
		text := w.Body.Bytes()
		var ordered json.RawMessage = text
		want, err := json.MarshalIndent(ordered, "", "  ")
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if string(want) != string(text) && !strings.Contains(string(text), "&") && !strings.Contains(string(text), "<") {
			t.Errorf("%s: not indented as Stripe does: %.300s", path, text)
		}
		if got := call(t, small, target).Body.String(); got != compact(t, call(t, indented, target).Body.Bytes()) {
			t.Errorf("%s: the compact answer differs: %.300s", path, got)
		}
	}
}

func TestDeterminism(t *testing.T) {
	t.Parallel()
	a, b := New(fixed()), New(fixed())
	options := fixed()
	options.Seed = 2
	other := New(options)
	differ := 0
	for path, target := range lists(a) {
		one, two := call(t, a, target).Body.String(), call(t, b, target).Body.String()
		if one != two {
			t.Errorf("%s: two answers of the same seed differ", path)
		}
		if third := call(t, other, path); third.Code == 200 && third.Body.String() != one {
			differ++
		}
	}
	if differ < 60 {
		t.Errorf("another seed changes only %d lists", differ)
	}
}

func TestRequestsAreCounted(t *testing.T) {
	var seen []Request
	options := fixed()
	options.Observe = func(r Request) { seen = append(seen, r) }
	s := New(options)
	id := idOf(t, fetch[page](t, s, "/v1/charges?limit=2").Data[0])
	call(t, s, "/v1/charges/"+id, "Stripe-Version", "2020-08-27")
	call(t, s, "/v1/charges/ch_none")
	counts := s.Requests()
	if counts[Endpoint{"GET", "/v1/charges", 200}] != 1 || counts[Endpoint{"GET", "/v1/charges/{id}", 200}] != 1 ||
		counts[Endpoint{"GET", "/v1/charges/{id}", 404}] != 1 || s.RequestCount("") != 3 || s.RequestCount("/v1/charges/{id}") != 2 {
		t.Error(counts)
	}
	if len(seen) != 3 || seen[0].URL != "/v1/charges?limit=2" || seen[1].Version != "2020-08-27" || seen[0].Bytes == 0 || s.MaxInFlight() != 1 {
		t.Errorf("%+v", seen)
	}
	s.ResetRequests()
	if s.RequestCount("") != 0 {
		t.Error(s.Requests())
	}
}
