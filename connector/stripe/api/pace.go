package api

import (
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// Pace sums up the limiters of the accounts that are in use, or were until a moment ago.
func (l *Limits) Pace() connector.Pace {
	now := time.Now()
	var pace connector.Pace
	for _, limiter := range l.inUse(now) {
		limiter.addTo(&pace, now)
	}
	return pace
}

// inUse gives the limiters that somebody asked for in the time that a rate takes to recover.
func (l *Limits) inUse(now time.Time) []*limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	var limiters []*limiter
	for _, b := range l.accounts {
		if now.Sub(b.used) <= recovery || !b.limiter.idle() {
			limiters = append(limiters, b.limiter)
		}
	}
	return limiters
}

func (l *limiter) addTo(pace *connector.Pace, now time.Time) {
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
