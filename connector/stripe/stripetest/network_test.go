package stripetest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestProxies(t *testing.T) {
	s := New(fixed())
	for kind, status := range map[FaultKind]int{BadGateway: 502, ProxyAuthRequired: 407, ProxyForbidden: 403, Redirected: 302} {
		remove := s.Inject(Fault{Kind: kind})
		w := call(t, s, "/v1/charges").Result()
		body, err := io.ReadAll(w.Body)
		if err != nil || w.StatusCode != status || !strings.HasPrefix(string(body), "<html>") || w.Header.Get("Content-Type") != "text/html" {
			t.Errorf("%d: %v %s", kind, w, body)
		}
		for _, name := range []string{"Request-Id", "Stripe-Version"} {
			if w.Header.Get(name) != "" {
				t.Errorf("a proxy's answer of %d has the header %s", status, name)
			}
		}
		remove()
	}
	s.Inject(Fault{Kind: BadGateway, Status: 504, Header: "Retry-After: 30"})
	if w := call(t, s, "/v1/charges"); w.Code != 504 || w.Header().Get("Retry-After") != "30" {
		t.Error(w)
	}
}

func TestHeaders(t *testing.T) {
	s := New(fixed())
	for _, retryAfter := range []string{"0", "86400", "-1", "soon", "Fri, 01 Mar 2024 12:10:00 GMT"} {
		remove := s.Inject(Fault{Kind: RateLimited, Reason: "endpoint-rate", Header: "Retry-After: " + retryAfter + "\nStripe-Should-Retry: false"})
		if w := call(t, s, "/v1/charges"); w.Code != 429 || w.Header().Get("Retry-After") != retryAfter || w.Header().Get("Stripe-Should-Retry") != "false" ||
			!strings.Contains(w.Body.String(), `"rate_limit"`) {
			t.Error(w)
		}
		remove()
	}
	s.Inject(Fault{Kind: Redirected, Status: 308, Header: "Location: https://example.com/v1/charges"})
	if w := call(t, s, "/v1/charges"); w.Code != 308 || w.Header().Get("Location") != "https://example.com/v1/charges" {
		t.Error(w)
	}
}

func TestSlowBodies(t *testing.T) {
	s, client := serve(t, fixed())
	s.Inject(Fault{Kind: Dripping, Path: "/v1/charges", Latency: 50 * time.Millisecond})
	s.Inject(Fault{Kind: Stalled, Path: "/v1/customers"})
	begin := time.Now()
	response, body, err := try(t, t.Context(), client, s.URL+"/v1/charges")
	if err != nil || response.StatusCode != http.StatusOK || !strings.HasSuffix(body, "}") || time.Since(begin) < 50*time.Millisecond {
		t.Error(response, err, time.Since(begin))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	response, body, err = try(t, ctx, client, s.URL+"/v1/customers")
	if response == nil || response.StatusCode != http.StatusOK || len(body) == 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v %.50s %v", response, body, err)
	}
}
