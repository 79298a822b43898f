package client

import (
	"context"
	"fmt"
	"time"
)

// commitGrace is how long a commit may take after the caller has given up. Storing records that were received saves
// re-reading them.
const commitGrace = 20 * time.Second

// flight is a commit in flight.
type flight struct {
	commit   Commit
	advanced bool // whether it contains a new state
	refused  []Refusal
	done     chan error
}

// launch starts a commit. No other commit may be in flight.
func (l *loader) launch(ctx context.Context, c Commit, advanced bool) {
	l.last = time.Now()
	if len(c.Records) == 0 && len(c.States) == 0 && len(c.Completed) == 0 {
		return
	}
	f := &flight{commit: c, advanced: advanced, done: make(chan error, 1)}
	f.commit.Refused = func(r Refusal) { f.refused = append(f.refused, r) }
	l.inFlight = f
	go func() {
		ctx, cancel := withGrace(ctx, commitGrace)
		defer cancel()
		f.done <- l.destination.Commit(ctx, f.commit)
	}()
}

// landed returns the error of the commit in flight if it has ended. It doesn't wait.
func (l *loader) landed() error {
	if l.inFlight == nil {
		return nil
	}
	select {
	case err := <-l.inFlight.done:
		return l.handleResult(err)
	default:
		return nil
	}
}

// land waits for the commit in flight, if there is one.
func (l *loader) land() error {
	if l.inFlight == nil {
		return nil
	}
	return l.handleResult(<-l.inFlight.done)
}

// abandon waits for the commit in flight and ignores its result. Nothing more will be committed.
func (l *loader) abandon() { _ = l.land() }

// handleResult handles the result of a commit.
func (l *loader) handleResult(err error) error {
	f := l.inFlight
	l.inFlight = nil
	if err != nil {
		return fmt.Errorf("store rows: %w", err)
	}
	for _, b := range f.commit.Records {
		l.committed(b)
	}
	for _, r := range f.refused {
		l.refused(r)
	}
	if f.advanced {
		l.advanced()
	}
	return nil
}

// withGrace returns a context that outlives ctx by d.
func withGrace(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	later, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-later.Done():
		}
	})
	return later, func() { stop(); cancel() }
}
