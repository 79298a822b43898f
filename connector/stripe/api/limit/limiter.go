package limit

import (
	"sync"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// Limiter decides when each request to one account is sent. It is safe for concurrent use.
type Limiter struct {
	mu        sync.Mutex
	ceilings  Ceilings
	account   gate
	endpoints map[string]*endpoint
	turns     uint64      // requests that passed so far
	wake      *time.Timer // admits the next waiting request; nil until one has waited
}

// endpoint is a gate with the queue in front of it.
type endpoint struct {
	gate
	name    string
	waiting []waiter
	turn    uint64 // of the request that passed last
}

// waiter is a request that waits. It is closed, under the Limiter's lock, when the request may be sent.
type waiter chan struct{}

func newLimiter(c Ceilings, now time.Time) *Limiter {
	return &Limiter{ceilings: c, account: newGate(c.Account, now), endpoints: map[string]*endpoint{}}
}

// Limit changes the ceilings.
func (l *Limiter) Limit(c Ceilings) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ceilings == c {
		return
	}
	l.ceilings = c
	l.advance(time.Now())
	l.account.bucket.cap(c.Account)
	for name, e := range l.endpoints {
		e.bucket.cap(c.of(name))
	}
	l.admit()
}

func (l *Limiter) endpoint(name string) *endpoint {
	e := l.endpoints[name]
	if e == nil {
		e = &endpoint{gate: newGate(l.ceilings.of(name), l.account.bucket.now), name: name}
		l.endpoints[name] = e
	}
	return e
}

// idle reports whether no request is in flight or waiting.
func (l *Limiter) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.endpoints {
		if len(e.waiting) > 0 {
			return false
		}
	}
	return l.account.flight.running == 0
}

// Workers returns how many requests in flight it takes to use the rate of the account at its present latency: 1 to 64.
func (l *Limiter) Workers() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(time.Now())
	return l.most()
}

// WorkersOf returns how many requests in flight it takes to use the rate of one endpoint at its present latency: 1 to 64.
func (l *Limiter) WorkersOf(endpoint string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(time.Now())
	return l.mostOf(l.endpoint(endpoint))
}

func (l *Limiter) addTo(pace *connector.Pace, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(now)
	pace.Accounts++
	pace.Ceiling += l.account.bucket.ceiling
	pace.Allowed += l.account.bucket.rate
	pace.InFlight += l.account.flight.running
	for _, e := range l.endpoints {
		pace.Waiting += len(e.waiting)
	}
}
