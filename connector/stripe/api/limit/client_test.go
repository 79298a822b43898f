package limit_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stripe-connector/stripe-connector/connector/stripe/api/limit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const liveKey, sandboxKey = "rk_live_1", "rk_test_1"

var endpoints = []string{"/v1/charges", "/v1/invoices", "/v1/customers", "/v1/events", "/v1/refunds", "/v1/payouts"}

// client reads an account like the client of package api, but without a network.
type client struct {
	*limit.Limiter
	respond func(path string) (int, http.Header)
	passed  atomic.Int64
}

// replica returns a client that simulates another process reading the same account, limited to perSecond unless that is 0.
func (s *strict) replica(key string, perSecond float64) *client {
	limiter := limit.NewRegistry().Of(limit.AccountOf(key), limit.Documented(key).Capped(perSecond))
	return &client{Limiter: limiter, respond: s.respond}
}

// get repeats a request until it succeeds. It backs off like package api, from an eighth of a second, doubled each time,
// ±50 %.
func (c *client) get(ctx context.Context, path string) error {
	for backoff := time.Second / 8; ; backoff *= 2 {
		permit, err := c.Acquire(ctx, limit.Endpoint(path), nil)
		if err != nil {
			return err
		}
		status, header := c.respond(path)
		permit.Release(status, header)
		if status == http.StatusOK {
			c.passed.Add(1)
			return nil
		}
		select {
		case <-time.After(time.Duration((0.5 + rand.Float64()) * float64(backoff))):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// readers are goroutines that read until their context ends.
type readers struct{ sync.WaitGroup }

// loop reads an endpoint continuously with n concurrent requests.
func (r *readers) loop(ctx context.Context, c *client, path string, n int) {
	for range n {
		r.Go(func() {
			for c.get(ctx, path) == nil {
			}
		})
	}
}

// pool reads an endpoint continuously, with as many concurrent requests as the Limiter recommends.
func (r *readers) pool(ctx context.Context, c *client, path string) {
	r.Go(func() {
		var pages sync.WaitGroup
		defer pages.Wait()
		free := make(chan struct{}, 64)
		for running := 0; ctx.Err() == nil; {
			for ; running < c.WorkersOf(limit.Endpoint(path)); running++ {
				pages.Go(func() {
					_ = c.get(ctx, path)
					free <- struct{}{}
				})
			}
			<-free
			running--
		}
	})
}

// run starts readers, stops them after d, and waits for them.
func run(t *testing.T, d time.Duration, start func(ctx context.Context, r *readers)) {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var r readers
	start(ctx, &r)
	r.Wait()
}
