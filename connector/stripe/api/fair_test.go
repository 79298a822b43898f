package api_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
)

func TestClientsOfAProcessShareOneBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStrict(strictness{account: 25, endpoint: 25, latency: 100 * time.Millisecond})
		limits := api.NewLimits()
		share := func(o *api.Options) { o.Limits = limits }
		counts := make([]*atomic.Int64, 10)
		run(t, time.Minute, func(ctx context.Context, r *readers) {
			for i := range counts {
				var c *api.Client
				c, counts[i] = s.replica(sandboxKey, share)
				r.pool(ctx, c, endpoints[0])
			}
			c, _ := s.replica(sandboxKey, share, func(o *api.Options) { o.Account = "acct_2" })
			if c.Workers(endpoints[0]) != 4 {
				t.Error("another account shares the budget")
			}
		})
		passed, refused := s.counts()
		if float64(passed) < 0.92*25*60 || refused > 0 {
			t.Errorf("%d passed, %d were refused", passed, refused)
		}
		for _, n := range counts {
			if share := int64(passed / len(counts)); n.Load() < share/2 || n.Load() > share*2 {
				t.Errorf("one had %d of %d", n.Load(), passed)
			}
		}
	})
}

// TestBigStreamsLeaveRoomForSmallOnes lets one stream want all, and looks at how long the others wait.
func TestBigStreamsLeaveRoomForSmallOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStrict(strictness{account: 25, endpoint: 25, latency: 100 * time.Millisecond})
		c, _ := s.replica(sandboxKey)
		var longest time.Duration
		run(t, time.Minute, func(ctx context.Context, r *readers) {
			r.loop(ctx, c, endpoints[0], 200)
			r.Go(func() {
				for ctx.Err() == nil {
					time.Sleep(time.Second)
					began := time.Now()
					if _, err := c.List(ctx, endpoints[1], nil); err == nil {
						longest = max(longest, time.Since(began))
					}
				}
			})
		})
		passed, refused := s.counts()
		t.Logf("the small stream waited %v at most", longest)
		if longest > 200*time.Millisecond || longest == 0 {
			t.Errorf("the small stream waited %v", longest)
		}
		if float64(passed) < 0.92*25*60 || refused > 0 {
			t.Errorf("%d passed, %d were refused", passed, refused)
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
				c, _ := s.replica(liveKey)
				if one, all := c.Workers("/v1/charges/ch_1"), c.AllWorkers(); one != 4 || all != 15 {
					t.Errorf("began with %d of an endpoint and %d in all", one, all)
				}
				run(t, 20*time.Second, func(ctx context.Context, r *readers) {
					for _, path := range endpoints {
						r.pool(ctx, c, path)
					}
				})
				if one, all := c.Workers(endpoints[0]), c.AllWorkers(); one != test.one || all != test.all {
					t.Errorf("got %d of an endpoint and %d in all, want %d and %d", one, all, test.one, test.all)
				}
			})
		})
	}
}

// TestWorkersComeBack refuses for reasons of concurrency once, and looks at how many are of use then and later.
func TestWorkersComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStrict(strictness{latency: 800 * time.Millisecond, concurrent: 4})
		c, _ := s.replica(liveKey)
		run(t, 20*time.Second, func(ctx context.Context, r *readers) { r.pool(ctx, c, endpoints[0]) })
		if all := c.AllWorkers(); all > 6 {
			t.Errorf("%d are of use where four may fly", all)
		}
		time.Sleep(time.Minute)
		if all := c.AllWorkers(); all < 15 {
			t.Errorf("%d are of use a minute later", all)
		}
	})
}

func TestWaitsForTheLimitAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStrict(strictness{latency: 100 * time.Millisecond})
		c, _ := s.replica(liveKey, func(o *api.Options) { o.MaxRequestsPerSecond = 0.1 })
		run(t, 5*time.Second, func(ctx context.Context, r *readers) {
			r.loop(ctx, c, endpoints[0], 2)
			time.Sleep(time.Second)
			if until := time.Until(c.Meter.WaitingUntil(time.Now())); until < 5*time.Second || until > 30*time.Second {
				t.Errorf("the wait is said to end in %v", until)
			}
		})
		if waited := c.Meter.Waited(); waited != 9900*time.Millisecond || c.Meter.Retries() != 0 || c.Meter.Requests() != 1 {
			t.Errorf("waited %v with %d retries and %d requests", waited, c.Meter.Retries(), c.Meter.Requests())
		}
	})
}
