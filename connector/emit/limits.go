package emit

import (
	"context"
	"time"
)

// Grace is how long work in hand may take after a Read was asked to stop, so that even one with a short deadline makes
// progress. After it the context of Run's read ends.
const Grace = 5 * time.Second

// limits are why a Read may have to end early.
type limits struct {
	records      int64           // 0 for none
	softDeadline time.Duration   // 0 for none
	drain        <-chan struct{} // nil for none
}

// watchLimits asks the Read to stop at its soft deadline or when its caller drains, and cuts it short after Grace.
func (e *Emitter) watchLimits(ctx context.Context) error {
	var deadline <-chan time.Time
	if e.limits.softDeadline > 0 {
		timer := time.NewTimer(e.limits.softDeadline)
		defer timer.Stop()
		deadline = timer.C
	}
	select {
	case <-e.limits.drain:
	case <-deadline:
	case <-ctx.Done():
		return nil
	}
	e.Stop()
	grace := time.NewTimer(Grace)
	defer grace.Stop()
	select {
	case <-grace.C:
		e.CutShort()
	case <-ctx.Done():
	}
	return nil
}

// Stop asks the Read to end early: the source is to send what it has in hand and to begin nothing new.
func (e *Emitter) Stop() { e.stop.Do(func() { close(e.stopping) }) }

// CutShort stops the Read and ends the context of Run's read, so that waits for the service end.
func (e *Emitter) CutShort() {
	e.Stop()
	e.cutShort()
}

// Stopping returns a channel that is closed when the Read is to end early: at its record limit, its soft deadline, when its
// caller drains, or after Stop.
func (e *Emitter) Stopping() <-chan struct{} { return e.stopping }

// Stopped reports whether the Read is to end early.
func (e *Emitter) Stopped() bool {
	select {
	case <-e.stopping:
		return true
	default:
		return false
	}
}

// Full reports whether the record limit of the request is reached.
func (e *Emitter) Full() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.full()
}

func (e *Emitter) full() bool { return e.limits.records > 0 && e.sent() >= e.limits.records }

// sent returns the number of records sent so far.
func (e *Emitter) sent() int64 {
	var n int64
	for _, s := range e.streams {
		n += s.counts.sent()
	}
	return n
}
