package api

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5" // exponential, jittered, cancellable, no dependencies

	"github.com/stripe-connector/stripe-connector/connector"
)

// Retry says how patiently a request is made again. What is retried: every Failure that says Retryable. At a rate limit
// waits are a quarter as long, because the limiter gives way too.
type Retry struct {
	Initial time.Duration // before the first retry, doubled for each further one, ±50 %; zero means 500 ms
	Max     time.Duration // the longest wait; zero means 30 s
	Budget  time.Duration // no retry begins later than this after the first attempt; zero means 2 minutes
	Attempt time.Duration // the longest single attempt; zero means 90 seconds
}

func (r Retry) attemptTimeout() time.Duration { return orDefault(r.Attempt, 90*time.Second) }

func orDefault(d, or time.Duration) time.Duration {
	if d == 0 {
		return or
	}
	return d
}

// retry calls attempt until it succeeds, fails for good, or the budget is spent. It honours ctx also while it waits.
func (c *Client) retry(ctx context.Context, endpoint string, attempt func() error) error {
	policy := c.options.Retry
	exponential := backoff.NewExponentialBackOff()
	exponential.InitialInterval = orDefault(policy.Initial, 500*time.Millisecond)
	exponential.MaxInterval = orDefault(policy.Max, 30*time.Second)
	exponential.Multiplier = 2
	waits := &hinted{BackOff: exponential}

	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := attempt()
		if err == nil {
			return struct{}{}, nil
		}
		if ctx.Err() != nil {
			return struct{}{}, backoff.Permanent(ctx.Err())
		}
		failure, ok := errors.AsType[*connector.Failure](err)
		if !ok || !failure.Retryable {
			return struct{}{}, backoff.Permanent(err)
		}
		waits.least = failure.RetryAfter
		waits.paced = isPacedRefusal(err)
		return struct{}{}, err
	},
		backoff.WithBackOff(waits),
		backoff.WithMaxElapsedTime(orDefault(policy.Budget, 2*time.Minute)),
		backoff.WithNotify(func(_ error, d time.Duration) {
			c.Meter.retry(time.Now(), d)
			c.options.Observer.Waited(ctx, connector.Wait{Endpoint: endpoint, Cause: connector.WaitForRetry, Took: d})
		}),
	)
	return err
}

// hinted waits at least as long as the last answer asked for.
type hinted struct {
	backoff.BackOff
	least time.Duration
	paced bool // the limiter gives way, and will space the retry as any request
}

func (h *hinted) NextBackOff() time.Duration {
	next := h.BackOff.NextBackOff()
	if h.paced {
		next /= 4 // it still grows if Stripe goes on refusing
	}
	return max(next, h.least)
}
