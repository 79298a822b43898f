package limit_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestRateIsUsed compares the rate that one process sustains with the rate that Stripe allows.
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
		unlimited bool // thirty workers per endpoint instead of the recommended number
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
					c := s.replica(test.key, 0)
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
						t.Error("want the rate that Stripe allows, with few refusals")
					}
				})
			})
		}
	}
}

// TestReplicasShare runs several independent processes that read one account.
func TestReplicasShare(t *testing.T) {
	tests := map[string]struct {
		key       string
		replicas  int
		endpoints int
		allowed   float64
		windows   bool
		late      time.Duration // when the second process starts
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
					replicas := make([]*client, test.replicas)
					const span = 2 * time.Minute
					run(t, test.late+span, func(ctx context.Context, r *readers) {
						for i := range test.replicas {
							replicas[i] = s.replica(test.key, 0)
							for _, path := range endpoints[:test.endpoints] {
								r.pool(ctx, replicas[i], path)
							}
							if i == 0 {
								time.Sleep(test.late)
								s.reset()
								replicas[0].passed.Store(0)
							}
						}
					})
					passed, refused := s.counts()
					all, share := span.Seconds()*test.allowed, float64(refused)/float64(passed+refused)
					t.Logf("%.1f %% of the rate, %.2f %% refused", 100*float64(passed)/all, 100*share)
					if float64(passed) < 0.85*all || share > 0.02 {
						t.Error("want the rate that Stripe allows, with few refusals")
					}
					for _, c := range replicas {
						had := float64(c.passed.Load())
						t.Logf("one process had %.1f %% of the rate", 100*had/all)
						if had < all/3/float64(test.replicas-1) {
							t.Errorf("one process had only %.0f of %.0f requests", had, all)
						}
					}
				})
			})
		}
	}
}
