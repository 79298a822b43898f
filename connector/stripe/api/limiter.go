package api

import (
	"sync"
	"time"
)

// limiter lets requests to one account pass at the rates, and as many at once, as Stripe allows the account and each
// endpoint (https://docs.stripe.com/rate-limits). Endpoints take turns, so that a big stream uses what small ones leave;
// within an endpoint, who came first goes first.
type limiter struct {
	mu        sync.Mutex
	ceilings  ceilings
	account   gate
	endpoints map[string]*endpoint
	turns     uint64      // requests that passed so far
	wake      *time.Timer // lets the next waiting request pass; nil before anyone waited
}

// endpoint is a gate with those who wait before it.
type endpoint struct {
	gate
	name    string
	waiting []waiter
	turn    uint64 // of the request that passed last
}

// waiter is a request that waits. It is closed, under the limiter's lock, when the request may be sent.
type waiter chan struct{}

func newLimiter(c ceilings, now time.Time) *limiter {
	return &limiter{ceilings: c, account: newGate(c.account, now), endpoints: map[string]*endpoint{}}
}

// limit changes the ceilings.
func (l *limiter) limit(c ceilings) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ceilings == c {
		return
	}
	l.ceilings = c
	l.advance(time.Now())
	l.account.bucket.cap(c.account)
	for name, e := range l.endpoints {
		e.bucket.cap(c.of(name))
	}
	l.admit()
}

func (l *limiter) endpoint(name string) *endpoint {
	e := l.endpoints[name]
	if e == nil {
		e = &endpoint{gate: newGate(l.ceilings.of(name), l.account.bucket.now), name: name}
		l.endpoints[name] = e
	}
	return e
}

// idle tells whether nobody sends or waits.
func (l *limiter) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.endpoints {
		if len(e.waiting) > 0 {
			return false
		}
	}
	return l.account.flight.running == 0
}

// workers gives how many requests in flight use the account's rate now.
func (l *limiter) workers() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(time.Now())
	return l.most()
}

// workersOf gives how many requests in flight use the rate of an endpoint now.
func (l *limiter) workersOf(name string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(time.Now())
	return l.mostOf(l.endpoint(name))
}
