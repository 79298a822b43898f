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
	turns     uint64      // number of requests sent so far
	wake      *time.Timer // admits the next waiting request; nil until a request has waited
}

// endpoint is a gate with the queue of requests that wait for it.
type endpoint struct {
	gate
	name    string
	waiting []waiter
	turn    uint64 // turn of the last request sent
}

// waiter represents a waiting request. The channel is closed, under the Limiter's lock, when the request can be sent.
type waiter chan struct{}

func newLimiter(c Ceilings, now time.Time) *Limiter {
	return &Limiter{ceilings: c, account: newGate(c.Account, now), endpoints: map[string]*endpoint{}}
}

// Raise raises the ceilings to c, unless they are as high already.
func (l *Limiter) Raise(c Ceilings) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.Account <= l.ceilings.Account {
		return
	}
	l.ceilings = c
	l.advance(time.Now())
	l.account.bucket.setCeiling(c.Account)
	for name, e := range l.endpoints {
		e.bucket.setCeiling(c.of(name))
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

// isIdle reports whether no request is in flight or waiting.
func (l *Limiter) isIdle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.endpoints {
		if len(e.waiting) > 0 {
			return false
		}
	}
	return l.account.flight.running == 0
}

// Workers returns the number of concurrent requests, 1 to 64, that use the full rate of the account at its current latency.
func (l *Limiter) Workers() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(time.Now())
	return l.maxInFlight()
}

// WorkersOf returns the number of concurrent requests, 1 to 64, that use the full rate of one endpoint at its current
// latency.
func (l *Limiter) WorkersOf(endpoint string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(time.Now())
	return l.maxInFlightOf(l.endpoint(endpoint))
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
