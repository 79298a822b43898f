package limit_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestRateFollowsStripe compares the rate that one process sustains with limits that differ from the documented ones.
func TestRateFollowsStripe(t *testing.T) {
	tests := map[string]struct {
		key       string
		stripe    strictness
		most      float64 // configured requests per second; 0 means the documented limit
		endpoints int
		allowed   float64
		refused   float64 // allowed share of refused requests
	}{
		"capped":                      {liveKey, strictness{account: 100, endpoint: 25}, 10, 6, 10, 0},
		"capped below one per second": {liveKey, strictness{account: 100, endpoint: 25}, 0.5, 2, 0.5, 0},
		"raised, and used":            {liveKey, strictness{account: 200, endpoint: 50}, 200, 6, 200, 0},
		"raised, unknown":             {liveKey, strictness{account: 200, endpoint: 50}, 0, 6, 100, 0},
		"raised account only":         {liveKey, strictness{account: 200, endpoint: 25}, 200, 6, 150, 0.02},
		"lowered account":             {liveKey, strictness{account: 40, endpoint: 25}, 0, 6, 40, 0.02},
		"lowered endpoints":           {liveKey, strictness{account: 100, endpoint: 10}, 0, 6, 60, 0.03},
		"lowered very much":           {liveKey, strictness{account: 4, endpoint: 4}, 0, 6, 4, 0.22},
		"sandbox treated as live":     {sandboxKey, strictness{account: 25, endpoint: 25}, 100, 6, 25, 0.02},
		"concurrency":                 {liveKey, strictness{concurrent: 10, latency: 300 * time.Millisecond}, 0, 6, 25, 0.02},
		"concurrency of an endpoint":  {liveKey, strictness{perEndpoint: 4, latency: 300 * time.Millisecond}, 0, 1, 10, 0.02},
		"files":                       {liveKey, strictness{account: 100, endpoint: 20}, 0, -1, 20, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test.stripe.latency += 100 * time.Millisecond
				s := newStrict(test.stripe)
				c := s.replica(test.key, test.most)
				const span = 2 * time.Minute
				run(t, span, func(ctx context.Context, r *readers) {
					if test.endpoints < 0 {
						r.loop(ctx, c, "/v1/files", 30)
						return
					}
					for _, path := range endpoints[:test.endpoints] {
						r.loop(ctx, c, path, 30)
					}
				})
				passed, refused := s.counts()
				used, share := float64(passed)/span.Seconds()/test.allowed, float64(refused)/float64(passed+refused)
				t.Logf("%.1f %% of the rate, %.2f %% refused, at most %d in a second and %d in flight", 100*used, 100*share, s.busiest(), s.highest)
				if used < 0.85 || share > test.refused {
					t.Error("want the rate that Stripe allows, with few refusals")
				}
				if test.refused == 0 && float64(s.busiest()) > max(1, test.allowed) {
					t.Errorf("sent %d requests within a second", s.busiest())
				}
			})
		})
	}
}

func TestRateRecoversWhenAnotherClientStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStrict(strictness{account: 100, endpoint: 25, latency: 100 * time.Millisecond})
		one, other := s.replica(liveKey, 0), s.replica(liveKey, 0)
		run(t, 4*time.Minute, func(ctx context.Context, r *readers) {
			leaving, cancel := context.WithTimeout(ctx, 2*time.Minute)
			for _, path := range endpoints {
				r.pool(ctx, one, path)
				r.pool(leaving, other, path)
			}
			r.Go(func() {
				defer cancel()
				for minute := range 4 {
					one.passed.Store(0)
					time.Sleep(time.Minute - time.Millisecond)
					rate := float64(one.passed.Load()) / 60
					t.Logf("minute %d: %.1f/s", minute+1, rate)
					if minimum := []float64{34, 34, 60, 92}[minute]; rate < minimum {
						t.Errorf("minute %d: %.1f/s, want %.0f", minute+1, rate, minimum)
					}
				}
			})
		})
	})
}

// TestRefusalsSlowDownWhatTheyName refuses requests to one endpoint for each reason, and measures the rate of this endpoint
// and of others.
func TestRefusalsSlowDownWhatTheyName(t *testing.T) {
	tests := map[string]struct {
		reason       string
		this, others bool // whether they slow down
	}{
		"global-rate":          {"global-rate", true, true},
		"global-concurrency":   {"global-concurrency", true, true},
		"endpoint-rate":        {"endpoint-rate", true, false},
		"endpoint-concurrency": {"endpoint-concurrency", true, false},
		"resource-specific":    {"resource-specific", false, false},
		"lock_timeout":         {"", false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var refusing bool
				var mu sync.Mutex
				passed := map[string]int{}
				c := newStrict(strictness{}).replica(liveKey, 0)
				c.respond = func(path string) (int, http.Header) {
					time.Sleep(500 * time.Millisecond)
					mu.Lock()
					defer mu.Unlock()
					if refusing && path == "/v1/charges" {
						return 429, http.Header{"Stripe-Rate-Limited-Reason": {test.reason}}
					}
					passed[path]++
					return 200, nil
				}
				run(t, 15*time.Second, func(ctx context.Context, r *readers) {
					for _, path := range endpoints[:4] {
						r.loop(ctx, c, path, 100)
					}
					r.Go(func() {
						for _, now := range []bool{true, false} { // refuse for five seconds, then measure for five seconds
							time.Sleep(5 * time.Second)
							mu.Lock()
							refusing = now
							clear(passed)
							mu.Unlock()
						}
					})
				})
				t.Logf("%v", passed)
				if slow := passed["/v1/charges"] < 100; slow != test.this {
					t.Errorf("the refused endpoint served %d requests", passed["/v1/charges"])
				}
				if slow := passed["/v1/invoices"] < 100; slow != test.others {
					t.Errorf("another endpoint served %d requests", passed["/v1/invoices"])
				}
			})
		})
	}
}

func TestCancelEndsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStrict(strictness{latency: 100 * time.Millisecond})
		c := s.replica(liveKey, 1)
		if err := c.get(t.Context(), "/v1/charges"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		began := time.Now()
		var readers sync.WaitGroup
		for range 50 {
			readers.Go(func() {
				if err := c.get(ctx, "/v1/charges"); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
			})
		}
		readers.Wait()
		if waited := time.Since(began); waited != 500*time.Millisecond || c.passed.Load() != 1 {
			t.Errorf("waited %v, made %d requests", waited, c.passed.Load())
		}
		if err := c.get(t.Context(), "/v1/charges"); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited > 1200*time.Millisecond {
			t.Errorf("canceled requests delayed the next one until %v", waited)
		}
	})
}
