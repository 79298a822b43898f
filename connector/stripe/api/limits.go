package api

import (
	"crypto/sha256"
	"sync"
	"time"
)

// Limits keeps the rate limits of all accounts that a process reads, so that all Clients of one account share one
// budget. Processes need not know of each other: each gives way when Stripe refuses, and so they share fairly. It may
// be used from many goroutines.
type Limits struct {
	mu       sync.Mutex
	accounts map[identity]*budget
	swept    time.Time
}

// identity is whose limits they are. It is a hash, so that no key stays in memory longer than its Client.
type identity [sha256.Size]byte

// budget is a limiter and when it was asked for last.
type budget struct {
	limiter *limiter
	used    time.Time
}

// NewLimits makes Limits that know of no account yet. Make one for the process and share it.
func NewLimits() *Limits { return &Limits{accounts: map[identity]*budget{}} }

// identify tells accounts apart by what a request names: Stripe counts by account, which only it can tell from a key.
func identify(o Options) identity {
	return sha256.Sum256([]byte(o.Key + "\x00" + o.Account + "\x00" + o.Base))
}

// of gives the limiter of an account. It is to be asked for each request and not to be kept: one that nobody asked for
// in a while is forgotten.
func (l *Limits) of(id identity, c ceilings) *limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	b := l.accounts[id]
	if b == nil {
		l.sweep(now)
		b = &budget{limiter: newLimiter(c, now)}
		l.accounts[id] = b
	}
	b.used = now
	return b.limiter
}

// sweep forgets the limiters that are as good as new: after the time that a rate takes to recover.
func (l *Limits) sweep(now time.Time) {
	if now.Sub(l.swept) < recovery {
		return
	}
	l.swept = now
	for id, b := range l.accounts {
		if now.Sub(b.used) > recovery && b.limiter.idle() {
			delete(l.accounts, id)
		}
	}
}
