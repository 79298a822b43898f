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

// Waited is the time spent waiting before retries, added up over all that waited.
func (m *Meter) Waited() time.Duration { return time.Duration(m.waited.Load()) }

// WaitingUntil is when the longest present wait ends; zero if none is known to be under way at now.
func (m *Meter) WaitingUntil(now time.Time) time.Time {
	until := time.Unix(0, m.waitingUntil.Load())
	if !until.After(now) {
		return time.Time{}
	}
	return until
}

func (m *Meter) wait(now time.Time, d time.Duration) {
	m.retries.Add(1)
	m.waited.Add(int64(d))
	until := now.Add(d).UnixNano()
	for {
		known := m.waitingUntil.Load()
		if known >= until || m.waitingUntil.CompareAndSwap(known, until) {
			return
		}
	}
}
