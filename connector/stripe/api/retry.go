package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5" // exponential, jittered, cancellable, no dependencies

	"github.com/stripe-connector/stripe-connector/connector"
)

// Retry configures the retries of a request. Every Failure with Retryable set is retried. After a 429 that the limiter
// handles, waits are a quarter as long, because the limiter backs off too.
type Retry struct {
	Initial time.Duration // wait before the first retry, ±50 %, doubled for each further retry; zero means 500 ms
	Max     time.Duration // longest wait; zero means 30 s
	Budget  time.Duration // no retry starts later than this after the first attempt; zero means 2 minutes
	Attempt time.Duration // timeout of a single attempt; zero means 90 seconds
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
	// maxHint is the longest time that a Retry-After header delays the next attempt.
	maxHint = time.Minute
	// brokenBudget limits the time for retries of a call that Stripe fails to serve and whose caller has a fallback.
	brokenBudget = 10 * time.Second
)

// retry calls attempt until it succeeds, fails permanently, or the retry budget is spent. Waits end when ctx does.
func (c *Client) retry(ctx context.Context, call *call, wait *wait, attempt func() error) error {
	policy := c.options.Retry
	exponential := backoff.NewExponentialBackOff()
	exponential.InitialInterval = orDefault(policy.Initial, 500*time.Millisecond)
	exponential.MaxInterval = orDefault(policy.Max, 30*time.Second)
	exponential.Multiplier = 2
	waits := &hintedBackOff{BackOff: exponential}

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
		waits.minimum = min(failed.RetryAfter, maxHint)
		waits.paced = failed.isPaced()
		waits.until = c.retryDeadline(failed, began, attempts)
		return struct{}{}, err
	},
		backoff.WithBackOff(waits),
		backoff.WithMaxElapsedTime(0), // hintedBackOff decides when to stop
		backoff.WithNotify(func(_ error, d time.Duration) {
			wait.backOff(last, d)
			c.options.Observer.Waited(ctx, connector.Wait{Endpoint: call.endpoint, Cause: connector.WaitForRetry, Took: d})
		}),
	)
	return err
}

// retryDeadline returns the time after which no retry starts, for a call that began at began and has failed the given
// number of times.
func (c *Client) retryDeadline(failed *fault, began time.Time, attempts int) time.Time {
	budget := c.options.Retry.budget()
	switch {
	case failed.broken && failed.call.fallback && attempts > failed.call.retries:
		return began // no retry
	case failed.broken && failed.call.fallback:
		return began.Add(min(budget, brokenBudget))
	case failed.unreachable:
		return c.outage.since(began).Add(budget)
	}
	return began.Add(budget)
}

// hintedBackOff waits at least as long as the last response asked for.
type hintedBackOff struct {
	backoff.BackOff
	minimum time.Duration
	paced   bool      // the limiter backs off too, and paces the retry like any request
	until   time.Time // no retry starts later
}

func (h *hintedBackOff) NextBackOff() time.Duration {
	next := h.BackOff.NextBackOff()
	if h.paced {
		next /= 4 // it still grows if Stripe keeps refusing
	}
	left := time.Until(h.until)
	if left <= 0 || h.minimum > left {
		return backoff.Stop
	}
	return min(max(next, h.minimum), left) // the last retry starts when the budget ends
}

// outage is a period without any response from Stripe. All requests of a Client share one budget to wait for its end, so a
// Read fails in time, however many requests it makes.
type outage struct {
	mu    sync.Mutex
	began time.Time // zero if there is no outage
}

// since returns when the outage began. A request that started at began is part of it.
func (o *outage) since(began time.Time) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.began.IsZero() {
		o.began = began
	}
	return o.began
}

// ended is called for each response from Stripe.
func (o *outage) ended() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.began = time.Time{}
}
