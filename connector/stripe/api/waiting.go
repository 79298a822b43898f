package api

import (
	"fmt"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// WaitForAnswer is a wait for an answer that takes long.
const WaitForAnswer connector.WaitCause = "answer"

// Waiting is what a call waits for. Times are the local clock's.
type Waiting struct {
	Endpoint string // with placeholders for ids, such as "/v1/invoices/{parent}/lines"
	Cause    connector.WaitCause
	Since    time.Time          // when the first of the attempts that failed began, or else the wait
	Until    time.Time          // when the wait is expected to end; zero if that is unknown
	Failure  *connector.Failure // of the last attempt; nil if none has failed
}

// String returns what a user should know of the wait, without its times.
func (w Waiting) String() string {
	switch {
	case w.Failure != nil:
		return fmt.Sprintf("Retrying %s: %s", w.Endpoint, w.Failure.Message)
	case w.Cause == WaitForAnswer:
		return fmt.Sprintf("Waiting for Stripe's answer to %s", w.Endpoint)
	}
	return fmt.Sprintf("Waiting for Stripe's rate limit at %s", w.Endpoint)
}

// notable is the shortest wait for the rate limit that counts: less is the even spacing of requests.
const notable = 5 * time.Millisecond

// wait is what one call waits for, from its beginning to its end. Its Meter locks it.
type wait struct {
	Waiting
	meter *Meter
}

// begin begins a call.
func (m *Meter) begin(endpoint string) *wait {
	w := &wait{Waiting{Endpoint: endpoint, Cause: connector.WaitForRate, Since: time.Now()}, m}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.waits == nil {
		m.waits = map[*wait]struct{}{}
	}
	m.waits[w] = struct{}{}
	return w
}

// change changes a wait. Since stays that of the first attempt as soon as one has failed.
func (w *wait) change(cause connector.WaitCause, since, until time.Time) {
	w.meter.mu.Lock()
	defer w.meter.mu.Unlock()
	w.Cause, w.Until = cause, until
	if w.Failure == nil {
		w.Since = since
	}
}

// queued is called when a request has to wait for the rate limit, for about d.
func (w *wait) queued(d time.Duration) {
	now := time.Now()
	var until time.Time
	if d >= notable {
		until = now.Add(d)
	}
	w.change(connector.WaitForRate, now, until)
}

// sent is called when a request is sent.
func (w *wait) sent() {
	w.meter.requests.Add(1)
	w.change(WaitForAnswer, time.Now(), time.Time{})
}

// backsOff is called when an attempt has failed, and the next one is made in d.
func (w *wait) backsOff(failed *fault, d time.Duration) {
	w.meter.retries.Add(1)
	w.meter.waited.Add(int64(d))
	w.meter.mu.Lock()
	defer w.meter.mu.Unlock()
	w.Cause, w.Until, w.Failure = connector.WaitForRetry, time.Now().Add(d), failed.Failure
}

// paced is called when a request has waited for the rate limit for d.
func (w *wait) paced(d time.Duration) { w.meter.waited.Add(int64(d)) }

// end ends the call.
func (w *wait) end() {
	w.meter.mu.Lock()
	defer w.meter.mu.Unlock()
	delete(w.meter.waits, w)
}

// isNotable reports whether a user should know of the wait.
func (w *wait) isNotable(now time.Time) bool {
	if w.Failure == nil && w.Cause == WaitForAnswer {
		return now.Sub(w.Since) > 5*time.Second // some pages take that long
	}
	return w.Failure != nil || max(w.Until.Sub(now), now.Sub(w.Since)) > time.Second
}

// before reports whether a user should rather know of w than of other.
func (w *wait) before(other *wait) bool {
	if a, b := w.rank(), other.rank(); a != b {
		return a < b
	}
	return w.Since.Before(other.Since)
}

func (w *wait) rank() int {
	switch {
	case w.Failure != nil:
		return 0
	case w.Cause == WaitForAnswer:
		return 1
	}
	return 2
}
