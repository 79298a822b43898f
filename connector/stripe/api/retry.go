package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5" // exponential, jittered, cancellable, no dependencies

	"github.com/stripe-connector/stripe-connector/connector"
)

// Retry says how patiently a request is repeated. What is retried: every Failure that says Retryable. At a rate limit
// waits are a quarter as long, because the limiter backs off too.
type Retry struct {
	Initial time.Duration // before the first retry, doubled for each further one, ±50 %; zero means 500 ms
	Max     time.Duration // the longest wait; zero means 30 s
	Budget  time.Duration // no retry begins later than this after the first attempt; zero means 2 minutes
	Attempt time.Duration // the longest single attempt; zero means 90 seconds
}

func (r Retry) attemptTimeout() time.Duration { return orDefault(r.Attempt, 90*time.Second) }

func (r Retry) budget() time.Duration { return orDefault(r.Budget, 2*time.Minute) }

func orDefault(d, or time.Duration) time.Duration {
	if d == 0 {
		return or
	}
	return d
}

const (
	// longestHint bounds how long an answer's Retry-After makes a request wait before the next attempt.
	longestHint = time.Minute
	// brokenRetries and brokenBudget bound how often, and until when, a call is retried that Stripe fails to serve and
	// that the caller has a way out of.
	brokenRetries = 2
	brokenBudget  = 10 * time.Second
)

// retry calls attempt until it succeeds, fails for good, or the time for it is spent. It honors ctx also while it waits.
func (c *Client) retry(ctx context.Context, call *call, wait *wait, attempt func() error) error {
	policy := c.options.Retry
	exponential := backoff.NewExponentialBackOff()
	exponential.InitialInterval = orDefault(policy.Initial, 500*time.Millisecond)
	exponential.MaxInterval = orDefault(policy.Max, 30*time.Second)
	exponential.Multiplier = 2
	waits := &hinted{BackOff: exponential}

	began, attempts := time.Now(), 0
	var last *fault
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := attempt()
		if err == nil {
			return struct{}{}, nil
		}
		if ctx.Err() != nil {
			return struct{}{}, backoff.Permanent(ctx.Err())
		}
		failed, ok := errors.AsType[*fault](err)
		if !ok || !failed.Retryable {
			return struct{}{}, backoff.Permanent(err)
		}
		attempts++
		last = failed
		waits.least = min(failed.RetryAfter, longestHint)
		waits.paced = failed.isPaced()
		waits.until = c.patience(failed, began, attempts)
		return struct{}{}, err
	},
		backoff.WithBackOff(waits),
		backoff.WithMaxElapsedTime(0), // hinted knows when to stop
		backoff.WithNotify(func(_ error, d time.Duration) {
			wait.backsOff(last, d)
			c.options.Observer.Waited(ctx, connector.Wait{Endpoint: call.endpoint, Cause: connector.WaitForRetry, Took: d})
		}),
	)
	return err
}

// patience returns the time after which no retry begins of a request that has failed in so many attempts.
func (c *Client) patience(failed *fault, began time.Time, attempts int) time.Time {
	budget := c.options.Retry.budget()
	switch {
	case failed.broken && failed.call.wayOut && attempts > brokenRetries:
		return began // no retry
	case failed.broken && failed.call.wayOut:
		return began.Add(min(budget, brokenBudget))
	case failed.unreachable:
		return c.outage.since(began).Add(budget)
	}
	return began.Add(budget)
}

// hinted waits at least as long as the last answer asked for.
type hinted struct {
	backoff.BackOff
	least time.Duration
	paced bool      // the limiter backs off, and will space the retry like any request
	until time.Time // no retry begins later
}

func (h *hinted) NextBackOff() time.Duration {
	next := h.BackOff.NextBackOff()
	if h.paced {
		next /= 4 // it still grows if Stripe goes on refusing
	}
	next = max(next, h.least)
	if time.Now().Add(next).After(h.until) {
		return backoff.Stop
	}
	return next
}

// outage is a time without any answer of Stripe's. It is one for all requests of a Client, which share one budget to wait
// for its end: however many there are, a Read gives up in time.
type outage struct {
	mu    sync.Mutex
	began time.Time // zero if there is none
}

// since returns when the outage began, of which a request that began then is part.
func (o *outage) since(began time.Time) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.began.IsZero() {
		o.began = began
	}
	return o.began
}

// ended is called for each answer of Stripe's.
func (o *outage) ended() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.began = time.Time{}
}
