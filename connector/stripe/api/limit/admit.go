package limit

import (
	"math"
	"time"
)

// All methods in this file expect the Limiter's lock to be held.

// advance moves every gate to the time now.
func (l *Limiter) advance(now time.Time) {
	l.account.advance(now)
	for _, e := range l.endpoints {
		e.advance(now)
	}
}

// admit admits all waiting requests that may be sent. If the next one waits for tokens, the timer will wake it; if it
// waits for a place in flight, the request that leaves it will.
func (l *Limiter) admit() {
	for {
		e := l.next()
		if e == nil {
			break
		}
		close(e.waiting[0])
		e.waiting[0] = nil
		e.waiting = e.waiting[1:]
		l.pass(e)
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

// next returns the endpoint whose turn it is: of those that may send, the one that did so longest ago.
func (l *Limiter) next() *endpoint {
	var next *endpoint
	for _, e := range l.endpoints {
		if len(e.waiting) > 0 && (next == nil || e.turn < next.turn) && l.open(e) {
			next = e
		}
	}
	return next
}

// open reports whether a request to an endpoint may be sent now.
func (l *Limiter) open(e *endpoint) bool {
	return l.account.bucket.in() == 0 && e.bucket.in() == 0 && l.hasRoom(e)
}

func (l *Limiter) hasRoom(e *endpoint) bool {
	return l.account.flight.running < l.most() && e.flight.running < l.mostOf(e)
}

// pass counts a request that is sent.
func (l *Limiter) pass(e *endpoint) {
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
			wait = min(wait, max(e.bucket.in(), l.account.bucket.in()))
		}
	}
	return wait
}

// expectedWait returns about the time that the last request in an endpoint's queue will wait.
func (l *Limiter) expectedWait(e *endpoint) time.Duration {
	all := 0
	for _, other := range l.endpoints {
		all += min(len(other.waiting), len(e.waiting)) // endpoints take turns
	}
	seconds := max(float64(len(e.waiting))/e.bucket.rate, float64(all)/l.account.bucket.rate)
	return time.Duration(seconds * float64(time.Second))
}

// most returns how many requests in flight use the account's rate.
func (l *Limiter) most() int {
	return l.account.flight.limit(l.account.bucket.rate, l.account.flight.expect())
}

// mostOf returns how many requests in flight use the rate of an endpoint.
func (l *Limiter) mostOf(e *endpoint) int {
	latency := e.flight.expect()
	if latency == 0 {
		latency = l.account.flight.expect()
	}
	return e.flight.limit(min(e.bucket.rate, l.account.bucket.rate), latency)
}
