package api_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
)

const liveKey, sandboxKey = "rk_live_1", "rk_test_1"

var endpoints = []string{"/v1/charges", "/v1/invoices", "/v1/customers", "/v1/events", "/v1/refunds", "/v1/payouts"}

// readers read until their context ends.
type readers struct{ sync.WaitGroup }

// loop lists an endpoint again and again, n times side by side.
func (r *readers) loop(ctx context.Context, c *api.Client, path string, n int) {
	for range n {
		r.Go(func() {
			for ctx.Err() == nil {
				_, _ = c.List(ctx, path, nil)
			}
		})
	}
}

// pool does so as often side by side as the Client says that it is of use.
func (r *readers) pool(ctx context.Context, c *api.Client, path string) {
	r.Go(func() {
		var pages sync.WaitGroup
		defer pages.Wait()
		free := make(chan struct{}, 64)
		for flying := 0; ctx.Err() == nil; {
			for ; flying < c.Workers(path); flying++ {
				pages.Go(func() {
					_, _ = c.List(ctx, path, nil)
					free <- struct{}{}
				})
			}
			<-free
			flying--
		}
	})
}

// run lets the readers that start starts read for a while, and waits for them.
func run(t *testing.T, d time.Duration, start func(ctx context.Context, r *readers)) {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var r readers
	start(ctx, &r)
	r.Wait()
}

// TestRateIsUsed holds what one process keeps up against what Stripe allows.
func TestRateIsUsed(t *testing.T) {
	tests := map[string]struct {
		key       string
		endpoints int
		allowed   float64
	}{
		"live, one endpoint":     {liveKey, 1, 25},
		"live, four endpoints":   {liveKey, 4, 100},
		"live, six endpoints":    {liveKey, 6, 100},
		"sandbox, one endpoint":  {sandboxKey, 1, 25},
		"sandbox, six endpoints": {sandboxKey, 6, 25},
	}
	servers := map[string]struct {
		strictness
		unlimited bool // thirty workers for each endpoint, instead of as many as are of use
	}{
		"bucket":           {strictness{latency: 100 * time.Millisecond}, false},
		"bucket, no burst": {strictness{latency: 100 * time.Millisecond, burst: 0.05}, false},
		"many workers":     {strictness{latency: 100 * time.Millisecond}, true},
		"windows":          {strictness{latency: 100 * time.Millisecond, windows: true}, false},
		"windows, jitter":  {strictness{latency: 50 * time.Millisecond, jitter: 100 * time.Millisecond, windows: true}, true},
		"slow":             {strictness{latency: 400 * time.Millisecond, jitter: 200 * time.Millisecond}, false},
	}
	for name, test := range tests {
		for server, o := range servers {
			t.Run(name+"/"+server, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o.account, o.endpoint = map[string]float64{liveKey: 100, sandboxKey: 25}[test.key], 25
					s := newStrict(o.strictness)
					c, _ := s.replica(test.key)
					run(t, time.Minute, func(ctx context.Context, r *readers) {
						for _, path := range endpoints[:test.endpoints] {
							if o.unlimited {
								r.loop(ctx, c, path, 30)
							} else {
								r.pool(ctx, c, path)
							}
						}
					})
					passed, refused := s.counts()
					used, share := float64(passed)/60/test.allowed, float64(refused)/float64(passed+refused)
					t.Logf("%.1f %% of the rate, %.2f %% refused, at most %d in flight", 100*used, 100*share, s.highest)
					if used < 0.92 || used > 1.05 || share > 0.02 {
						t.Error("that is not as fast as Stripe allows")
					}
				})
			})
		}
	}
}

// TestReplicasShare lets processes that know nothing of each other read one account.
func TestReplicasShare(t *testing.T) {
	tests := map[string]struct {
		key       string
		replicas  int
		endpoints int
		allowed   float64
		windows   bool
		late      time.Duration // after which the second begins
	}{
		"live, bucket":                {liveKey, 2, 6, 100, false, 0},
		"live, windows":               {liveKey, 2, 6, 100, true, 0},
		"live, one endpoint, bucket":  {liveKey, 2, 1, 25, false, 0},
		"live, one endpoint, windows": {liveKey, 2, 1, 25, true, 0},
		"sandbox, bucket":             {sandboxKey, 2, 6, 25, false, 0},
		"sandbox, windows":            {sandboxKey, 2, 6, 25, true, 0},
		"late, bucket":                {liveKey, 2, 6, 100, false, 33 * time.Second},
		"late, windows":               {liveKey, 2, 6, 100, true, 33 * time.Second},
		"three, bucket":               {liveKey, 3, 6, 100, false, 0},
	}
	for name, test := range tests {
		for _, jitter := range []time.Duration{0, 50 * time.Millisecond} {
			t.Run(name+", jitter "+jitter.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newStrict(strictness{account: 100, endpoint: 25, windows: test.windows, latency: 100 * time.Millisecond, jitter: jitter})
					if test.key == sandboxKey {
						s = newStrict(strictness{account: 25, endpoint: 25, windows: test.windows, latency: 100 * time.Millisecond, jitter: jitter})
					}
					counts := make([]*atomic.Int64, test.replicas)
					const span = 2 * time.Minute
					run(t, test.late+span, func(ctx context.Context, r *readers) {
						for i := range test.replicas {
							var c *api.Client
							c, counts[i] = s.replica(test.key)
							for _, path := range endpoints[:test.endpoints] {
								r.pool(ctx, c, path)
							}
							if i == 0 {
								time.Sleep(test.late)
								s.reset()
								counts[0].Store(0)
							}
						}
					})
					passed, refused := s.counts()
					all, share := span.Seconds()*test.allowed, float64(refused)/float64(passed+refused)
					t.Logf("%.1f %% of the rate, %.2f %% refused", 100*float64(passed)/all, 100*share)
					if float64(passed) < 0.85*all || share > 0.02 {
						t.Error("that is not as fast as Stripe allows")
					}
					for _, n := range counts {
						t.Logf("one had %.1f %% of the rate", 100*float64(n.Load())/all)
						if least := all / 3 / float64(test.replicas-1); float64(n.Load()) < least {
							t.Errorf("one had only %d of %.0f requests", n.Load(), all)
						}
					}
				})
			})
		}
	}
}
