package api

import (
	"fmt"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// WaitForResponse is a long wait for a response.
const WaitForResponse connector.WaitCause = "answer"

// Waiting describes what a call is waiting for. Its times are local.
type Waiting struct {
	Endpoint string // with placeholders for ids, such as "/v1/invoices/{parent}/lines"
	Cause    connector.WaitCause
	Since    time.Time          // start of the first failed attempt, or else of the wait
	Until    time.Time          // expected end of the wait; zero if unknown
	Failure  *connector.Failure // failure of the last attempt; nil if none has failed
}

// String describes the wait to the user, without its times.
func (w Waiting) String() string {
	switch {
	case w.Failure != nil:
		return fmt.Sprintf("Retrying %s: %s", w.Endpoint, w.Failure.Message)
	case w.Cause == WaitForResponse:
		return fmt.Sprintf("Waiting for Stripe's response to %s", w.Endpoint)
	}
	return fmt.Sprintf("Waiting for Stripe's rate limit at %s", w.Endpoint)
}

// minWait is the shortest wait for the rate limit that counts. Shorter waits just space requests evenly.
const minWait = 5 * time.Millisecond

// wait tracks what one call is waiting for, from its beginning to its end. The Meter's mutex guards it.
type wait struct {
	Waiting
	meter *Meter
}

// begin records the start of a call.
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

// update updates a wait. Once an attempt has failed, Since remains the start of the first failed attempt.
func (w *wait) update(cause connector.WaitCause, since, until time.Time) {
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
	if d >= minWait {
		until = now.Add(d)
	}
	w.update(connector.WaitForRate, now, until)
}

// sent is called when a request is sent.
func (w *wait) sent() {
	w.meter.requests.Add(1)
	w.update(WaitForResponse, time.Now(), time.Time{})
}

// backOff is called when an attempt has failed and the next one follows after d.
func (w *wait) backOff(failed *fault, d time.Duration) {
	w.meter.retries.Add(1)
	w.meter.waited.Add(int64(d))
	w.meter.mu.Lock()
	defer w.meter.mu.Unlock()
	w.Cause, w.Until, w.Failure = connector.WaitForRetry, time.Now().Add(d), failed.Failure
}

// paced is called when a request has waited d for the rate limit.
func (w *wait) paced(d time.Duration) { w.meter.waited.Add(int64(d)) }

// end records the end of the call.
func (w *wait) end() {
	w.meter.mu.Lock()
	defer w.meter.mu.Unlock()
	delete(w.meter.waits, w)
}

// isNotable reports whether the wait is worth reporting to a user.
func (w *wait) isNotable(now time.Time) bool {
	if w.Failure == nil && w.Cause == WaitForResponse {
		return now.Sub(w.Since) > 5*time.Second // some pages take this long
	}
	return w.Failure != nil || max(w.Until.Sub(now), now.Sub(w.Since)) > time.Second
}

// hasPriorityOver reports whether w is more important to report than other.
func (w *wait) hasPriorityOver(other *wait) bool {
	if a, b := w.rank(), other.rank(); a != b {
		return a < b
	}
	return w.Since.Before(other.Since)
}

func (w *wait) rank() int {
	switch {
	case w.Failure != nil:
		return 0
	case w.Cause == WaitForResponse:
		return 1
	}
	return 2
}
