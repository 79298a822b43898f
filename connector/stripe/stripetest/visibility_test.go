package stripetest

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestIndependentVisibility creates customers and checks that every combination occurs of whether the event, the list entry and
// the object itself are visible.
func TestIndependentVisibility(t *testing.T) {
	c := newClock()
	s := New(c.options())
	s.SetDelays(Delays{Events: 20 * time.Second, Lists: 20 * time.Second, Retrieves: 20 * time.Second})
	var ids []string
	for range 60 {
		id, err := s.Create("/v1/customers")
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	c.wait(10 * time.Second)
	seen := map[string]int{}
	for _, id := range ids {
		state := ""
		if strings.Contains(call(t, s, "/v1/events?limit=100").Body.String(), id) {
			state += "event "
		}
		if strings.Contains(call(t, s, "/v1/customers?limit=100").Body.String(), id) {
			state += "list "
		}
		if w := call(t, s, "/v1/customers/"+id); w.Code == http.StatusOK {
			state += "object"
		} else if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), `"No such customer: '`+id+`'"`) {
			t.Errorf("%s: %d %s", id, w.Code, w.Body)
		}
		seen[state]++
	}
	if len(seen) != 8 {
		t.Errorf("of eight combinations, %v were seen", seen)
	}
	c.wait(10 * time.Second)
	for _, id := range ids {
		fetch[page](t, s, "/v1/customers/"+id)
	}
	if n := len(fetch[page](t, s, "/v1/customers?limit=60").Data); n != 60 {
		t.Errorf("%d customers in the end", n)
	}
}

// TestHiddenParent requests what is below a customer that cannot be retrieved yet, and objects that belong to it.
func TestHiddenParent(t *testing.T) {
	c := newClock()
	options := c.options()
	options.RetrieveDelay = time.Hour
	s := New(options)
	id, err := s.Create("/v1/customers")
	if err != nil {
		t.Fatal(err)
	}
	if status, e := errorOf(t, s, "/v1/customers/"+id+"/sources"); status != 404 || e.Code != "resource_missing" || e.Param != "customer" {
		t.Error(status, e)
	}
	if status, e := errorOf(t, s, "/v1/subscriptions?customer="+id); status != 400 || e.Code != "resource_missing" || e.Param != "customer" {
		t.Error(status, e)
	}
	if got := idOf(t, fetch[page](t, s, "/v1/customers?limit=1").Data[0]); got != id {
		t.Errorf("the newest customer in the list is %s", got)
	}
}

// TestDate checks that the Date header shows Stripe's clock, even when that is wrong or jumps.
func TestDate(t *testing.T) {
	c := newClock()
	c.now = c.now.Add(999 * time.Millisecond)
	s := New(c.options())
	date := func(target string) string { return call(t, s, target).Result().Header.Get("Date") }
	for _, step := range []struct {
		skew time.Duration
		want string
	}{
		{0, "Fri, 01 Mar 2024 12:00:00 GMT"}, {10 * time.Minute, "Fri, 01 Mar 2024 12:10:00 GMT"},
		{-36 * time.Hour, "Thu, 29 Feb 2024 00:00:00 GMT"}, {time.Millisecond, "Fri, 01 Mar 2024 12:00:01 GMT"},
	} {
		s.SetSkew(step.skew)
		for _, target := range []string{"/v1/charges", "/v1/nonsense", "/v1/charges/ch_none"} {
			if got := date(target); got != step.want {
				t.Errorf("%v, %s: %q, want %q", step.skew, target, got, step.want)
			}
		}
	}
	s.SetSkew(time.Hour)
	id, err := s.Create("/v1/customers")
	if err != nil {
		t.Fatal(err)
	}
	if created := fetch[struct{ Created int64 }](t, s, "/v1/customers/"+id).Created; created != c.now.Unix()+3600 {
		t.Errorf("created at %d by a clock that is an hour fast; it is %d", created, c.now.Unix())
	}
	s.Inject(Fault{Kind: BadGateway, Times: 1})
	if got := date("/v1/charges"); got != "Fri, 01 Mar 2024 12:00:00 GMT" {
		t.Errorf("a proxy says it is %q", got)
	}
}

// TestDateOverHTTP checks that net/http does not add a Date of its own.
func TestDateOverHTTP(t *testing.T) {
	s, client := serve(t, fixed())
	for header, want := range map[string]string{"": "Fri, 01 Mar 2024 12:00:00 GMT", "Date:": "", "Date: yesterday": "yesterday"} {
		remove := s.Inject(Fault{Header: header})
		if response, _, err := try(t, t.Context(), client, s.URL+"/v1/charges"); err != nil || response.StatusCode != http.StatusOK || response.Header.Get("Date") != want {
			t.Errorf("%q: %v %v", header, err, response)
		}
		remove()
	}
}
