package api_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
)

// recorder is an Observer that records its calls.
type recorder struct {
	mu       sync.Mutex
	requests []connector.Request
	waits    []connector.Wait
}

func (o *recorder) Requested(_ context.Context, r connector.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.requests = append(o.requests, r)
}

func (o *recorder) Waited(_ context.Context, w connector.Wait) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waits = append(o.waits, w)
}

// TestObserver uses a simulated Stripe that fails in many ways, once repeating the key.
func TestObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limited := func(reason string) http.Header {
			return http.Header{"Content-Type": {"application/json"}, "Stripe-Rate-Limited-Reason": {reason}}
		}
		const refusal = `{"error":{"type":"api_error","message":"no"}}`
		answers := []func(*http.Request) *http.Response{
			func(req *http.Request) *http.Response { return answer(req, 429, limited("endpoint-rate"), refusal) },
			func(req *http.Request) *http.Response { return answer(req, 429, limited(key), refusal) },
			func(req *http.Request) *http.Response { return answer(req, 429, nil, refusal) },
			func(req *http.Request) *http.Response { return answer(req, 503, limited("global-rate"), refusal) },
			func(req *http.Request) *http.Response { return nil },
			func(req *http.Request) *http.Response { return answer(req, 200, nil, "{") },
			func(req *http.Request) *http.Response { return answer(req, 200, nil, list) },
		}
		attempts, observer := 0, &recorder{}
		c := api.New(api.Options{
			Key: connector.NewSecret(key), Observer: observer, Retry: api.Retry{Initial: time.Second, Max: time.Second},
			Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
				time.Sleep(time.Millisecond)
				attempts++
				if res := answers[attempts-1](req); res != nil {
					return res, nil
				}
				return nil, http.ErrServerClosed
			}),
		})
		began := time.Now()
		if _, err := c.List(t.Context(), "/v1/invoices/in_secret/lines", nil); err != nil {
			t.Fatal(err)
		}
		var want []connector.Request
		for i, end := range []connector.Request{
			{Status: 429, Limit: "endpoint-rate", Class: connector.RateLimit},
			{Status: 429, Limit: "other", Class: connector.RateLimit},
			{Status: 429, Limit: "unnamed", Class: connector.RateLimit},
			{Status: 503, Class: connector.Transient},
			{Class: connector.Transient},
			{Status: 200, Class: connector.Transient},
			{Status: 200},
		} {
			end.Endpoint, end.Attempt, end.Took = "/v1/invoices/{parent}/lines", i+1, time.Millisecond
			want = append(want, end)
		}
		got := observer.requests
		last := began
		for i := range got {
			if got[i].Began.Before(last) || got[i].Began.After(time.Now()) {
				t.Errorf("request %d began at %s", i, got[i].Began)
			}
			last, got[i].Began = got[i].Began, time.Time{}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
		var waited time.Duration
		causes := map[connector.WaitCause]int{}
		for _, w := range observer.waits {
			waited += w.Took
			causes[w.Cause]++
			if w.Endpoint != "/v1/invoices/{parent}/lines" {
				t.Errorf("waited for %s", w.Endpoint)
			}
		}
		if waited != c.Meter.Waited() || causes[connector.WaitForRetry] != len(answers)-1 {
			t.Errorf("observed waits of %s (%v), but the meter counted %s", waited, causes, c.Meter.Waited())
		}
	})
}
