package api

import (
	"sync"
	"sync/atomic"
	"time"
)

// Meter counts what a Read asked of Stripe, and knows what it waits for. It is safe for concurrent use; its zero value is
// ready.
type Meter struct {
	requests, retries atomic.Int64
	waited            atomic.Int64 // nanoseconds

	mu    sync.Mutex
	waits map[*wait]struct{} // of the calls under way
}

// Requests returns the number of requests made, retries included.
func (m *Meter) Requests() int64 { return m.requests.Load() }

// Retries returns the number of requests that were made again after a failure.
func (m *Meter) Retries() int64 { return m.retries.Load() }

// Waited returns the time spent waiting before retries and for Stripe's rate limits, added up over all that waited.
func (m *Meter) Waited() time.Duration { return time.Duration(m.waited.Load()) }

// WaitingUntil returns when the longest present wait is expected to end; zero if none is known to be under way at now.
func (m *Meter) WaitingUntil(now time.Time) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	var until time.Time
	for w := range m.waits {
		if w.Until.After(now) && w.Until.After(until) {
			until = w.Until
		}
	}
	return until
}

// Waiting returns the wait that holds up a Read most, of those under way: the one whose attempts have failed for the
// longest time; if none have failed, the longest wait for an answer, or else for the rate limit. It reports false if
// nothing waits for longer than a second.
func (m *Meter) Waiting() (Waiting, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	var longest *wait
	for w := range m.waits {
		if w.isNotable(now) && (longest == nil || w.before(longest)) {
			longest = w
		}
	}
	if longest == nil {
		return Waiting{}, false
	}
	return longest.Waiting, true
}
