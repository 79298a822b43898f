package api

import (
	"sync"
	"sync/atomic"
	"time"
)

// Meter counts a Read's requests to Stripe and tracks what they are waiting for. It is safe for concurrent use; the zero
// value is ready to use.
type Meter struct {
	requests, retries atomic.Int64
	waited            atomic.Int64 // nanoseconds

	mu    sync.Mutex
	waits map[*wait]struct{} // waits of the calls in progress
}

// Requests returns the number of requests made, including retries.
func (m *Meter) Requests() int64 { return m.requests.Load() }

// Retries returns the number of retries.
func (m *Meter) Retries() int64 { return m.retries.Load() }

// Waited returns the time spent waiting before retries and for Stripe's rate limits, summed over all requests.
func (m *Meter) Waited() time.Duration { return time.Duration(m.waited.Load()) }

// WaitingUntil returns when the longest current wait is expected to end, or zero if none is known to be in progress at now.
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

// Waiting returns the wait that holds up the Read the most: that of the call whose attempts have been failing for the
// longest time; if none have failed, the longest wait for a response; otherwise the longest wait for the rate limit. It
// reports false if nothing has been waiting for more than a second.
func (m *Meter) Waiting() (Waiting, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	var longest *wait
	for w := range m.waits {
		if w.isNotable(now) && (longest == nil || w.hasPriorityOver(longest)) {
			longest = w
		}
	}
	if longest == nil {
		return Waiting{}, false
	}
	return longest.Waiting, true
}
