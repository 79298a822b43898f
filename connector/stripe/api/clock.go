package api

import (
	"net/http"
	"sync"
	"time"
)

// Clock knows the time at Stripe, learned from the Date header of its answers. It is safe for concurrent use.
//
// Date is the second in which an answer was written, which was some time between the request and the arrival of the
// answer's headers. So each answer bounds the offset between Stripe's clock and the local one, and together they bound
// it ever more closely.
//
// Local time is measured from when the clock was made, so that a wall clock that is set meanwhile changes nothing.
type Clock struct {
	now  func() time.Time
	base time.Time

	mu     sync.Mutex
	synced bool
	bounds offsets       // of the offset, at the time at
	at     time.Time     // local
	offset time.Duration // that is assumed
	odd    *offsets      // what the last answer said, if that contradicts the bounds
}

// drift is how fast a clock may gain or lose, which widens the bounds with time: more than computers' clocks do.
const drift = 200e-6

// NewClock returns a Clock that measures by a local one. Clients of one address of the API may share it, so that a new Client
// knows what earlier ones learned.
func NewClock(now func() time.Time) *Clock { return &Clock{now: now, base: now()} }

// local returns the local time.
func (c *Clock) local() time.Time { return c.base.Add(c.now().Sub(c.base)) }

// stripes returns Stripe's time at a local time.
func (c *Clock) stripes(local time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return local.Add(c.offset)
}

// isSynced reports whether an answer has told Stripe's time.
func (c *Clock) isSynced() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.synced
}

// answered learns from an answer of Stripe's to a request that was sent, and whose headers arrived, at local times.
//
// An answer that contradicts those before it is believed if the next one confirms it: a single wrong Date, from a cache
// that doesn't admit to be one, does no harm, and a local clock that jumped is noticed.
func (c *Clock) answered(header http.Header, sent, arrived time.Time) {
	date, ok := dateOf(header)
	if !ok || arrived.Before(sent) {
		return
	}
	said := offsets{date.Sub(arrived), date.Add(time.Second).Sub(sent)}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch known := c.bounds.after(arrived.Sub(c.at)); {
	case !c.synced:
		c.believe(said, arrived)
	case known.meet(said):
		c.believe(known.and(said), arrived)
	case c.odd != nil && c.odd.meet(said):
		c.believe(c.odd.and(said), arrived)
	default:
		c.odd = &said
	}
}

// believe keeps the bounds. It moves the offset no further than it must, and none at all if the local clock is right:
// times don't change their order without need.
func (c *Clock) believe(bounds offsets, at time.Time) {
	c.synced, c.bounds, c.at, c.odd = true, bounds, at, nil
	c.offset = bounds.middle().clamp(c.offset)
}

// dateOf returns the time that an answer says it was written. A cached answer tells nothing about the present
// (https://www.rfc-editor.org/rfc/rfc9111#name-age).
func dateOf(header http.Header) (time.Time, bool) {
	if age := header.Get("Age"); age != "" && age != "0" {
		return time.Time{}, false
	}
	date, err := http.ParseTime(header.Get("Date"))
	return date, err == nil
}

// offsets are the bounds of an offset.
type offsets struct{ low, high time.Duration }

// after returns what is left of the bounds when time has passed.
func (o offsets) after(passed time.Duration) offsets {
	wider := max(0, time.Duration(float64(passed)*drift))
	return offsets{o.low - wider, o.high + wider}
}

func (o offsets) meet(other offsets) bool { return o.low <= other.high && other.low <= o.high }

func (o offsets) and(other offsets) offsets {
	return offsets{max(o.low, other.low), min(o.high, other.high)}
}

// middle returns the middle of the bounds, ±½ s, or all of them if that is less. It keeps the promise of [Client.Now].
func (o offsets) middle() offsets {
	middle := o.low + (o.high-o.low)/2
	return o.and(offsets{middle - time.Second/2, middle + time.Second/2})
}

// clamp returns the offset within the bounds that is nearest to d.
func (o offsets) clamp(d time.Duration) time.Duration { return min(max(d, o.low), o.high) }
