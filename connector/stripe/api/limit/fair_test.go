package limit_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/api/limit"
)

// TestClientsShareOneRate runs ten clients with the same key in one process.
func TestClientsShareOneRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStrict(strictness{account: 25, endpoint: 25, latency: 100 * time.Millisecond})
		registry := limit.NewRegistry()
		of := func(account limit.Account) *client {
			return &client{Limiter: registry.Of(account, limit.Documented(sandboxKey)), respond: s.respond}
		}
		clients := make([]*client, 10)
		run(t, time.Minute, func(ctx context.Context, r *readers) {
			for i := range clients {
				clients[i] = of(limit.AccountOf(sandboxKey))
				r.pool(ctx, clients[i], endpoints[0])
			}
			if of(limit.AccountOf(sandboxKey, "acct_2")).WorkersOf(endpoints[0]) != 4 {
				t.Error("another account shares the rate")
			}
		})
		passed, refused := s.counts()
		if float64(passed) < 0.92*25*60 || refused > 0 {
			t.Errorf("%d requests passed, %d were refused", passed, refused)
		}
		for _, c := range clients {
			if n, fair := c.passed.Load(), int64(passed/len(clients)); n < fair/2 || n > fair*2 {
				t.Errorf("one client got %d of %d requests", n, passed)
			}
		}
	})
}

// TestLargeStreamsDoNotStarveSmallOnes saturates one endpoint and measures how long requests to another wait.
func TestLargeStreamsDoNotStarveSmallOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStrict(strictness{account: 25, endpoint: 25, latency: 100 * time.Millisecond})
		c := s.replica(sandboxKey, 0)
		var longest time.Duration
		run(t, time.Minute, func(ctx context.Context, r *readers) {
			r.loop(ctx, c, endpoints[0], 200)
			r.Go(func() {
				for ctx.Err() == nil {
					time.Sleep(time.Second)
					began := time.Now()
					if c.get(ctx, endpoints[1]) == nil {
						longest = max(longest, time.Since(began))
					}
				}
			})
		})
		passed, refused := s.counts()
		t.Logf("the small stream waited at most %v", longest)
		if longest > 200*time.Millisecond || longest == 0 {
			t.Errorf("the small stream waited %v, want at most 200ms", longest)
		}
		if float64(passed) < 0.92*25*60 || refused > 0 {
			t.Errorf("%d requests passed, %d were refused", passed, refused)
		}
	})
}

func TestWorkersFollowLatency(t *testing.T) {
	tests := map[string]struct {
		latency  time.Duration
		one, all int
	}{
		"fast": {5 * time.Millisecond, 2, 2},
		"100":  {100 * time.Millisecond, 4, 15},
		"400":  {400 * time.Millisecond, 15, 57},
		"slow": {3 * time.Second, 64, 64},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStrict(strictness{latency: test.latency})
				c := s.replica(liveKey, 0)
				if one, all := c.WorkersOf("/v1/charges/{id}"), c.Workers(); one != 4 || all != 15 {
					t.Errorf("started with %d workers for an endpoint and %d in total, want 4 and 15", one, all)
				}
				run(t, 20*time.Second, func(ctx context.Context, r *readers) {
					for _, path := range endpoints {
						r.pool(ctx, c, path)
					}
				})
				if one, all := c.WorkersOf(endpoints[0]), c.Workers(); one != test.one || all != test.all {
					t.Errorf("got %d workers for an endpoint and %d in total, want %d and %d", one, all, test.one, test.all)
				}
			})
		})
	}
}

// TestWorkersRecover has Stripe limit concurrency, and checks the number of workers then and a minute later.
func TestWorkersRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStrict(strictness{latency: 800 * time.Millisecond, concurrent: 4})
		c := s.replica(liveKey, 0)
		run(t, 20*time.Second, func(ctx context.Context, r *readers) { r.pool(ctx, c, endpoints[0]) })
		if all := c.Workers(); all > 6 {
			t.Errorf("%d workers with a concurrency limit of 4, want at most 6", all)
		}
		time.Sleep(time.Minute)
		if all := c.Workers(); all < 15 {
			t.Errorf("%d workers a minute later, want at least 15", all)
		}
	})
}
