package api

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5" // exponential, jittered, cancellable, no dependencies

	"github.com/stripe-connector/stripe-connector/connector"
)

// Retry says how patiently a request is made again. What is retried: every Failure that says Retryable.
type Retry struct {
	Initial time.Duration // before the first retry, doubled for each further one, ±50 %; zero means 500 ms
	Max     time.Duration // the longest wait; zero means 30 s
	Budget  time.Duration // no retry begins later than this after the first attempt; zero means 5 minutes
	Attempt time.Duration // the longest single attempt; zero means 2 minutes
}

func (r Retry) attemptTimeout() time.Duration { return orDefault(r.Attempt, 2*time.Minute) }

func orDefault(d, or time.Duration) time.Duration {
	if d == 0 {
		return or
	}
	return d
}

// retry calls attempt until it succeeds, fails for good, or the budget is spent. It honours ctx also while it waits.
func (c *Client) retry(ctx context.Context, attempt func() error) error {
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
		return struct{}{}, err
	},
		backoff.WithBackOff(waits),
		backoff.WithMaxElapsedTime(orDefault(policy.Budget, 5*time.Minute)),
		backoff.WithNotify(func(_ error, d time.Duration) { c.Meter.wait(time.Now(), d) }),
	)
	return err
}

// hinted waits at least as long as the last answer asked for.
type hinted struct {
	backoff.BackOff
	least time.Duration
}

func (h *hinted) NextBackOff() time.Duration { return max(h.BackOff.NextBackOff(), h.least) }
