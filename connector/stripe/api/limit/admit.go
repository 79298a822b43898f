package limit

import (
	"math"
	"time"
)

// The methods in this file must be called with the Limiter's lock held.

// advance updates every gate to the time now.
func (l *Limiter) advance(now time.Time) {
	l.account.advance(now)
	for _, e := range l.endpoints {
		e.advance(now)
	}
}

// admit admits all waiting requests that can be sent. If the next one needs tokens, the timer will admit it; if it needs a
// place in flight, the end of another request will.
func (l *Limiter) admit() {
	for {
		e := l.next()
		if e == nil {
			break
		}
		close(e.waiting[0])
		e.waiting[0] = nil
		e.waiting = e.waiting[1:]
		l.start(e)
	}
	wait := l.untilNext()
	switch {
	case wait == never && l.wake == nil:
	case wait == never:
		l.wake.Stop()
	case l.wake == nil:
		l.wake = time.AfterFunc(wait, l.tick)
	default:
		l.wake.Reset(wait)
	}
}

// tick is called by the timer.
func (l *Limiter) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(time.Now())
	l.admit()
}

// next returns the endpoint whose turn it is: among those that can send, the one that has not sent for the longest time.
func (l *Limiter) next() *endpoint {
	var next *endpoint
	for _, e := range l.endpoints {
		if len(e.waiting) > 0 && (next == nil || e.turn < next.turn) && l.canSend(e) {
			next = e
		}
	}
	return next
}

// canSend reports whether a request to an endpoint can be sent now.
func (l *Limiter) canSend(e *endpoint) bool {
	return l.account.bucket.untilToken() == 0 && e.bucket.untilToken() == 0 && l.hasRoom(e)
}

func (l *Limiter) hasRoom(e *endpoint) bool {
	return l.account.flight.running < l.maxInFlight() && e.flight.running < l.maxInFlightOf(e)
}

// start counts a request that is being sent.
func (l *Limiter) start(e *endpoint) {
	l.account.enter()
	e.enter()
	l.turns++
	e.turn = l.turns
}

const never = time.Duration(math.MaxInt64)

// untilNext returns the time until the buckets admit the next waiting request.
func (l *Limiter) untilNext() time.Duration {
	wait := never
	for _, e := range l.endpoints {
		if len(e.waiting) > 0 && l.hasRoom(e) {
			wait = min(wait, max(e.bucket.untilToken(), l.account.bucket.untilToken()))
		}
	}
	return wait
}

// expectedWait estimates how long the last request in an endpoint's queue will wait.
func (l *Limiter) expectedWait(e *endpoint) time.Duration {
	all := 0
	for _, other := range l.endpoints {
		all += min(len(other.waiting), len(e.waiting)) // endpoints take turns
	}
	seconds := max(float64(len(e.waiting))/e.bucket.rate, float64(all)/l.account.bucket.rate)
	return time.Duration(seconds * float64(time.Second))
}

// maxInFlight returns the number of concurrent requests that use the account's full rate.
func (l *Limiter) maxInFlight() int {
	return l.account.flight.limit(l.account.bucket.rate, l.account.flight.expect())
}

// maxInFlightOf returns the number of concurrent requests that use the full rate of an endpoint.
func (l *Limiter) maxInFlightOf(e *endpoint) int {
	latency := e.flight.expect()
	if latency == 0 {
		latency = l.account.flight.expect()
	}
	return e.flight.limit(min(e.bucket.rate, l.account.bucket.rate), latency)
}
