package api

import (
	"sync/atomic"
	"time"
)

// Meter counts what a Read asked of Stripe. It may be used from many goroutines; its zero value is ready.
type Meter struct {
	requests, retries atomic.Int64
	waited            atomic.Int64 // nanoseconds
	waitingUntil      atomic.Int64 // Unix nanoseconds
}

// Requests is the number of requests made, retries included.
func (m *Meter) Requests() int64 { return m.requests.Load() }

// Retries is the number of requests that were made again after a failure.
func (m *Meter) Retries() int64 { return m.retries.Load() }

// Waited is the time spent waiting before retries and for Stripe's rate limits, added up over all that waited.
func (m *Meter) Waited() time.Duration { return time.Duration(m.waited.Load()) }

// WaitingUntil is when the longest present wait ends; zero if none is known to be under way at now.
func (m *Meter) WaitingUntil(now time.Time) time.Time {
	until := time.Unix(0, m.waitingUntil.Load())
	if !until.After(now) {
		return time.Time{}
	}
	return until
}

// retry counts a retry that waits from now for d.
func (m *Meter) retry(now time.Time, d time.Duration) {
	m.retries.Add(1)
	m.waited.Add(int64(d))
	m.waitUntil(now.Add(d))
}

// notable is the shortest wait for the rate limit that counts: less is the even spacing of requests.
const notable = 5 * time.Millisecond

// pace notes that a request has to wait for the rate limit, about for d from now.
func (m *Meter) pace(now time.Time, d time.Duration) {
	if d >= notable {
		m.waitUntil(now.Add(d))
	}
}

// paced counts such a wait, which took d.
func (m *Meter) paced(d time.Duration) { m.waited.Add(int64(d)) }

func (m *Meter) waitUntil(t time.Time) {
	until := t.UnixNano()
	for {
		known := m.waitingUntil.Load()
		if known >= until || m.waitingUntil.CompareAndSwap(known, until) {
			return
		}
	}
}
