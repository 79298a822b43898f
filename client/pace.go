package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

const (
	defaultAttempts = 5
	defaultWait     = 500 * time.Millisecond
	longestWait     = 30 * time.Second
	// defaultPatience is long enough for the failover of a managed database.
	defaultPatience = 5 * time.Minute
)

// pace decides whether and when to start another Read after a Read that ended early.
type pace struct {
	backoff  *backoff.ExponentialBackOff
	attempts int
	stalled  int // number of Reads in a row without a new state
	patience time.Duration
	endless  bool      // whether to never give up
	since    time.Time // when the destination became unavailable, or zero if it is available
}

func newPace(opts SyncOptions) *pace {
	p := &pace{backoff: backoff.NewExponentialBackOff(), attempts: opts.Attempts, patience: opts.Patience, endless: opts.Follow}
	if p.patience <= 0 {
		p.patience = defaultPatience
	}
	if p.attempts <= 0 {
		p.attempts = defaultAttempts
	}
	p.backoff.InitialInterval = opts.Wait
	if opts.Wait <= 0 {
		p.backoff.InitialInterval = defaultWait
	}
	p.backoff.MaxInterval = longestWait
	p.backoff.Multiplier = 2
	p.backoff.Reset()
	return p
}

// wait waits before the next Read and logs the reason. It returns the error if there is to be no further Read.
func (p *pace) wait(ctx context.Context, cause error, progressed bool, log func(context.Context, *connectorv1.ReadResponse)) error {
	if progressed {
		p.stalled, p.since = 0, time.Time{}
		p.backoff.Reset()
	}
	if _, interrupted := errors.AsType[*Interruption](cause); interrupted {
		if p.since.IsZero() {
			p.since = time.Now()
		}
		if waited := time.Since(p.since); waited >= p.patience && !p.endless {
			return fmt.Errorf("gave up after the destination was unavailable for %s: %w", waited.Round(time.Second), cause)
		}
	} else {
		p.since = time.Time{}
		if !progressed {
			p.stalled++
		}
	}
	if p.stalled >= p.attempts && !p.endless {
		return fmt.Errorf("gave up after %d attempts in a row without progress: %w", p.stalled, cause)
	}
	wait := p.backoff.NextBackOff()
	if e, ok := errors.AsType[*Error](cause); ok {
		wait = max(wait, e.RetryAfter())
	}
	log(ctx, warning("", "", fmt.Sprintf("The Read was interrupted and resumes in %s from the last stored state: %s",
		wait.Round(time.Millisecond), cause)))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// isTemporary reports whether the next attempt may succeed despite err.
func isTemporary(err error) bool {
	if _, interrupted := errors.AsType[*Interruption](err); interrupted {
		return true
	}
	e, ok := errors.AsType[*Error](err)
	return ok && e.Retryable()
}

// warning returns a log entry that the client itself created.
func warning(stream, account, message string) *connectorv1.ReadResponse {
	return &connectorv1.ReadResponse{Message: &connectorv1.ReadResponse_Log{Log: &connectorv1.LogEntry{
		Level: connectorv1.LogLevel_LOG_LEVEL_WARNING, Stream: stream, Account: account, Message: message}}}
}
