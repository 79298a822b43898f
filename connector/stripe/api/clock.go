package api

import (
	"net/http"
	"sync"
	"time"
)

// Clock derives Stripe's time from the Date headers of its responses. It is safe for concurrent use.
//
// Date is the second in which a response was written, which was between the request and the arrival of the headers. So each
// response bounds the offset between Stripe's clock and the local clock, and together they bound it ever more closely.
//
// Local time is measured from the creation of the Clock, so that setting the wall clock has no effect.
type Clock struct {
	now  func() time.Time
	base time.Time

	mu      sync.Mutex
	synced  bool
	bounds  offsets       // bounds of the offset at the time at
	at      time.Time     // local time
	offset  time.Duration // the assumed offset
	outlier *offsets      // bounds from the last response, if they contradict bounds
}

// drift is how fast a clock may gain or lose time, in seconds per second. It widens the bounds over time and exceeds the
// drift of real clocks.
const drift = 200e-6

// NewClock returns a Clock relative to the local clock now. Clients of the same API address can share it, so that a new
// Client knows what earlier ones learned.
func NewClock(now func() time.Time) *Clock { return &Clock{now: now, base: now()} }

// local returns the local time.
func (c *Clock) local() time.Time { return c.base.Add(c.now().Sub(c.base)) }

// stripeTime returns Stripe's time at a local time.
func (c *Clock) stripeTime(local time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return local.Add(c.offset)
}

// earliest returns the earliest that Stripe's time can be at a local time, as far as the responses so far prove, or zero before
// the first one. Unlike stripeTime it never goes back, unless a response contradicts the bounds.
func (c *Clock) earliest(local time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.synced {
		return time.Time{}
	}
	return local.Add(c.bounds.after(local.Sub(c.at)).low)
}

// isSynced reports whether Stripe's time is known from a response.
func (c *Clock) isSynced() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.synced
}

// update learns from a response of Stripe, given the local times when the request was sent and the headers arrived.
//
// A response that contradicts earlier ones is accepted only if the next one confirms it. So a single wrong Date, from a
// cache that doesn't set Age, has no effect, but a jump of the local clock is noticed.
func (c *Clock) update(header http.Header, sent, arrived time.Time) {
	date, ok := dateOf(header)
	if !ok || arrived.Before(sent) {
		return
	}
	bounds := offsets{date.Sub(arrived), date.Add(time.Second).Sub(sent)}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch known := c.bounds.after(arrived.Sub(c.at)); {
	case !c.synced:
		c.setBounds(bounds, arrived)
	case known.overlaps(bounds):
		c.setBounds(known.intersect(bounds), arrived)
	case c.outlier != nil && c.outlier.overlaps(bounds):
		c.setBounds(c.outlier.intersect(bounds), arrived)
	default:
		c.outlier = &bounds
	}
}

// setBounds sets the bounds. It changes the offset no more than necessary, and not at all if the local clock is right, so
// that times keep their order.
func (c *Clock) setBounds(bounds offsets, at time.Time) {
	c.synced, c.bounds, c.at, c.outlier = true, bounds, at, nil
	c.offset = bounds.middle().clamp(c.offset)
}

// dateOf returns the time at which a response was written. A cached response says nothing about the current time
// (https://www.rfc-editor.org/rfc/rfc9111#name-age).
func dateOf(header http.Header) (time.Time, bool) {
	if age := header.Get("Age"); age != "" && age != "0" {
		return time.Time{}, false
	}
	date, err := http.ParseTime(header.Get("Date"))
	return date, err == nil
}

// offsets are bounds of an offset.
type offsets struct{ low, high time.Duration }

// after returns the bounds widened by the drift during passed.
func (o offsets) after(passed time.Duration) offsets {
	wider := max(0, time.Duration(float64(passed)*drift))
	return offsets{o.low - wider, o.high + wider}
}

func (o offsets) overlaps(other offsets) bool { return o.low <= other.high && other.low <= o.high }

func (o offsets) intersect(other offsets) offsets {
	return offsets{max(o.low, other.low), min(o.high, other.high)}
}

// middle returns the middle ±½ s of the bounds, or all of them if they are narrower. This upholds the accuracy that
// [Client.Now] promises.
func (o offsets) middle() offsets {
	middle := o.low + (o.high-o.low)/2
	return o.intersect(offsets{middle - time.Second/2, middle + time.Second/2})
}

// clamp returns the offset within the bounds that is closest to d.
func (o offsets) clamp(d time.Duration) time.Duration { return min(max(d, o.low), o.high) }
