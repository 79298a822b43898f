package api

import (
	"math"
	"time"
)

// What follows expects the limiter's lock to be held.

// advance lets the time pass until now, at every gate.
func (l *limiter) advance(now time.Time) {
	l.account.advance(now)
	for _, e := range l.endpoints {
		e.advance(now)
	}
}

// admit lets all waiting requests pass that may, and sees to it that the next one is not forgotten: a request that waits
// for tokens is woken by the timer, one that waits for a place in flight by whoever leaves it.
func (l *limiter) admit() {
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

// tick is what the timer calls.
func (l *limiter) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(time.Now())
	l.admit()
}

// next gives the endpoint whose turn it is: of those that may send, the one that did so longest ago.
func (l *limiter) next() *endpoint {
	var next *endpoint
	for _, e := range l.endpoints {
		if len(e.waiting) > 0 && (next == nil || e.turn < next.turn) && l.open(e) {
			next = e
		}
	}
	return next
}

// open tells whether a request to an endpoint may be sent now.
func (l *limiter) open(e *endpoint) bool {
	return l.account.bucket.in() == 0 && e.bucket.in() == 0 && l.hasRoom(e)
}

func (l *limiter) hasRoom(e *endpoint) bool {
	return l.account.flight.running < l.most() && e.flight.running < l.mostOf(e)
}

// pass counts a request that is sent.
func (l *limiter) pass(e *endpoint) {
	l.account.enter()
	e.enter()
	l.turns++
	e.turn = l.turns
}

const never = time.Duration(math.MaxInt64)

// untilNext gives the time until the buckets let the next waiting request pass.
func (l *limiter) untilNext() time.Duration {
	wait := never
	for _, e := range l.endpoints {
		if len(e.waiting) > 0 && l.hasRoom(e) {
			wait = min(wait, max(e.bucket.in(), l.account.bucket.in()))
		}
	}
	return wait
}

// expectedWait gives about the time that the last one in an endpoint's queue waits.
func (l *limiter) expectedWait(e *endpoint) time.Duration {
	all := 0
	for _, other := range l.endpoints {
		all += min(len(other.waiting), len(e.waiting)) // endpoints take turns
	}
	seconds := max(float64(len(e.waiting))/e.bucket.rate, float64(all)/l.account.bucket.rate)
	return time.Duration(seconds * float64(time.Second))
}

// most gives how many requests in flight use the account's rate.
func (l *limiter) most() int {
	return l.account.flight.limit(l.account.bucket.rate, l.account.flight.expect())
}

// mostOf gives how many requests in flight use the rate of an endpoint.
func (l *limiter) mostOf(e *endpoint) int {
	latency := e.flight.expect()
	if latency == 0 {
		latency = l.account.flight.expect()
	}
	return e.flight.limit(min(e.bucket.rate, l.account.bucket.rate), latency)
}
