package stripetest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// serve starts a server that is closed at the end of the test, and returns it with a client.
func serve(t testing.TB, options Options) (*Server, *http.Client) {
	t.Helper()
	s := NewServer(options)
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		s.Close()
	})
	return s, &http.Client{Transport: transport}
}

// try sends a request and returns the response, its body, and any error from reading the body.
func try(t testing.TB, ctx context.Context, client *http.Client, url string) (response *http.Response, body string, err error) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer sk_test_123")
	response, err = client.Do(request)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response, string(text), err
}

func TestFaults(t *testing.T) {
	s, client := serve(t, fixed())
	for name, c := range map[string]struct {
		fault  Fault
		status int
		check  func(r *http.Response, body string, err error) bool
	}{
		"rate limited": {Fault{Kind: RateLimited, Reason: "global-rate"}, 429, func(r *http.Response, body string, err error) bool {
			return r.Header.Get("Stripe-Rate-Limited-Reason") == "global-rate" && strings.Contains(body, `"rate_limit"`)
		}},
		"lock timeout": {Fault{Kind: LockTimeout}, 429, func(r *http.Response, body string, err error) bool {
			return r.Header.Get("Stripe-Rate-Limited-Reason") == "" && strings.Contains(body, `"lock_timeout"`) && r.Header.Get("Request-Id") == ""
		}},
		"server error": {Fault{Kind: ServerError}, 500, func(r *http.Response, body string, err error) bool {
			return json.Valid([]byte(body)) && strings.Contains(body, "api_error")
		}},
		"bad gateway": {Fault{Kind: BadGateway}, 502, func(r *http.Response, body string, err error) bool {
			return strings.HasPrefix(body, "<html>") && r.Header.Get("Content-Type") == "text/html"
		}},
		"empty body": {Fault{Kind: EmptyBody}, 200, func(r *http.Response, body string, err error) bool { return body == "" && err == nil }},
		"truncated": {Fault{Kind: Truncated}, 200, func(r *http.Response, body string, err error) bool {
			return err == nil && len(body) > 1000 && !json.Valid([]byte(body)) && r.ContentLength == -1
		}},
		"dropped": {Fault{Kind: Dropped}, 200, func(r *http.Response, body string, err error) bool {
			return errors.Is(err, io.ErrUnexpectedEOF) && len(body) > 1000
		}},
		"wrong content": {Fault{Kind: WrongContent}, 200, func(r *http.Response, body string, err error) bool {
			return body == `{"status": "ok"}`
		}},
	} {
		remove := s.Inject(c.fault)
		response, body, err := try(t, t.Context(), client, s.URL+"/v1/charges?limit=50")
		if response == nil || response.StatusCode != c.status || !c.check(response, body, err) {
			t.Errorf("%s: %v %.200s %v", name, response, body, err)
		}
		remove()
		if response, body, err = try(t, t.Context(), client, s.URL+"/v1/charges"); err != nil || response.StatusCode != http.StatusOK || !json.Valid([]byte(body)) {
			t.Errorf("after %s: %v %.200s %v", name, response, body, err)
		}
	}
}

func TestHangingAndSlow(t *testing.T) {
	s, client := serve(t, fixed())
	s.Inject(Fault{Kind: Hanging, Path: "/v1/charges"})
	s.Inject(Fault{Kind: Slow, Path: "/v1/customers", Latency: 80 * time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := try(t, ctx, client, s.URL+"/v1/charges"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	begin := time.Now()
	if response, _, err := try(t, t.Context(), client, s.URL+"/v1/customers"); err != nil || response.StatusCode != http.StatusOK ||
		time.Since(begin) < 80*time.Millisecond {
		t.Error(err, time.Since(begin))
	}
	// Closing the server ends a hanging request.
	done := make(chan error)
	go func() {
		_, _, err := try(t, context.WithoutCancel(t.Context()), client, s.URL+"/v1/charges")
		done <- err
	}()
	for s.MaxInFlight() == 0 || s.RequestCount("/v1/charges") == 0 {
		time.Sleep(time.Millisecond)
	}
	s.Close()
	if err := <-done; err == nil {
		t.Error("a hanging request was answered")
	}
}

// TestFaultsAreChosen checks which requests a fault affects.
func TestFaultsAreChosen(t *testing.T) {
	pattern := func(fault Fault, paths ...string) string {
		s := New(fixed())
		s.Inject(fault)
		var b strings.Builder
		for i := range 12 {
			if call(t, s, paths[i%len(paths)]).Code == 200 {
				b.WriteByte('.')
			} else {
				b.WriteByte('x')
			}
		}
		return b.String()
	}
	for want, fault := range map[string]Fault{
		"xxxxxxxxxxxx": {Kind: ServerError},
		"xxx.........": {Kind: ServerError, Times: 3},
		"....x.......": {Kind: ServerError, Skip: 4, Times: 1},
		"x.x.x.x.x.x.": {Kind: ServerError, Path: "/v1/charges"},
		"x.x.........": {Kind: ServerError, Path: "/v1/charges", Times: 2},
	} {
		if got := pattern(fault, "/v1/charges", "/v1/customers"); got != want {
			t.Errorf("%+v: %s, want %s", fault, got, want)
		}
	}
	half := Fault{Kind: ServerError, Probability: 0.5}
	one, two := pattern(half, "/v1/charges"), pattern(half, "/v1/charges")
	if one != two || !strings.Contains(one, "x") || !strings.Contains(one, ".") {
		t.Error(one, two)
	}
}

// TestRateLimits sends requests faster than the limits allow.
func TestRateLimits(t *testing.T) {
	options := fixed()
	options.Limits = TestLimits()
	s := New(options)
	reasons := map[string]int{}
	begin := time.Now()
	for i := range 200 {
		path := "/v1/charges?limit=1"
		if i >= 100 {
			path = []string{"/v1/customers?limit=1", "/v1/products?limit=1"}[i%2]
		}
		w := call(t, s, path)
		reasons[w.Header().Get("Stripe-Rate-Limited-Reason")]++
		if (w.Code == 429) != (w.Header().Get("Stripe-Rate-Limited-Reason") != "") {
			t.Fatal(w.Code, w.Header())
		}
	}
	allowed := 25 + int(25*time.Since(begin).Seconds()) + 1
	if reasons[""] < 25 || reasons[""] > allowed || reasons["global-rate"] == 0 {
		t.Errorf("%v in %v, at most %d allowed", reasons, time.Since(begin), allowed)
	}
	s.SetLimits(LiveLimits())
	reasons = map[string]int{}
	for range 60 {
		reasons[call(t, s, "/v1/charges?limit=1").Header().Get("Stripe-Rate-Limited-Reason")]++
	}
	if reasons["endpoint-rate"] == 0 || reasons["global-rate"] != 0 {
		t.Error(reasons)
	}
}

func TestConcurrencyLimit(t *testing.T) {
	options := fixed()
	options.Limits = Limits{Concurrency: 3}
	options.Latency = func(string) time.Duration { return 100 * time.Millisecond }
	s := New(options)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() { call(t, s, "/v1/charges?limit=1") })
	}
	wait.Wait()
	counts := s.Requests()
	if counts[Endpoint{"GET", "/v1/charges", 200}] != 3 || counts[Endpoint{"GET", "/v1/charges", 429}] != 5 || s.MaxInFlight() < 4 {
		t.Error(counts, s.MaxInFlight())
	}
}

func TestListenOnLoopbackOnly(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "nonsense"} {
		if s, err := Listen(address, fixed()); err == nil {
			s.Close()
			t.Errorf("listens on %s", address)
		}
	}
}
