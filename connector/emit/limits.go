package emit

import (
	"context"
	"time"
)

// Grace is how long a Read may continue after it was asked to stop, so that even a Read with a short deadline makes
// progress. After that, the context passed to read is canceled.
const Grace = 5 * time.Second

// limits are the reasons for a Read to end early.
type limits struct {
	records      int64           // 0 for none
	softDeadline time.Duration   // 0 for none
	drain        <-chan struct{} // nil for none
}

// watchLimits stops the Read at its soft deadline or when its caller drains, and cuts it short after Grace.
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

// Stop asks the Read to end early: the source finishes what it has in hand and starts nothing new.
func (e *Emitter) Stop() { e.stop.Do(func() { close(e.stopping) }) }

// CutShort stops the Read and cancels the context passed to read, which ends waits for the service.
func (e *Emitter) CutShort() {
	e.Stop()
	e.cutShort()
}

// Stopping returns a channel that is closed when the Read should end early: at its record limit or soft deadline, when its
// caller drains, or after Stop.
func (e *Emitter) Stopping() <-chan struct{} { return e.stopping }

// Stopped reports whether the Read should end early.
func (e *Emitter) Stopped() bool {
	select {
	case <-e.stopping:
		return true
	default:
		return false
	}
}

// Full reports whether the request's record limit has been reached.
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
