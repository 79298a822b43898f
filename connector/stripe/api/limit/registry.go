package limit

import (
	"crypto/sha256"
	"strings"
	"sync"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// Registry holds the Limiters of all accounts that a process reads, so that all clients of one account share one budget.
// Processes need no coordination: each backs off when Stripe refuses, and so they converge to fair shares. A Registry is
// safe for concurrent use.
type Registry struct {
	mu       sync.Mutex
	accounts map[Account]*budget
	swept    time.Time
}

// Account identifies the owner of a budget. It is a hash, so that no key stays in memory longer than its client.
type Account [sha256.Size]byte

// AccountOf returns the Account named by what a request carries, such as a key, a connected account and a host. Stripe
// counts by account, which only Stripe can tell from a key: two keys of one account have two budgets.
func AccountOf(parts ...string) Account { return sha256.Sum256([]byte(strings.Join(parts, "\x00"))) }

// budget is a Limiter and the time it was last asked for.
type budget struct {
	limiter *Limiter
	used    time.Time
}

// NewRegistry returns an empty Registry.
func NewRegistry() *Registry { return &Registry{accounts: map[Account]*budget{}} }

// Of returns the Limiter of an account, and creates it with ceilings c if there is none. Ask for it before each request
// rather than keep it: a Limiter that has not been asked for lately is forgotten.
func (r *Registry) Of(account Account, c Ceilings) *Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	b := r.accounts[account]
	if b == nil {
		r.sweep(now)
		b = &budget{limiter: newLimiter(c, now)}
		r.accounts[account] = b
	}
	b.used = now
	return b.limiter
}

// sweep forgets the Limiters that are as good as new, which they are once a rate has had the time to recover.
func (r *Registry) sweep(now time.Time) {
	if now.Sub(r.swept) < recovery {
		return
	}
	r.swept = now
	for account, b := range r.accounts {
		if now.Sub(b.used) > recovery && b.limiter.idle() {
			delete(r.accounts, account)
		}
	}
}

// Pace returns the sum over the Limiters of all accounts in use, or in use until a moment ago.
func (r *Registry) Pace() connector.Pace {
	now := time.Now()
	var pace connector.Pace
	for _, limiter := range r.inUse(now) {
		limiter.addTo(&pace, now)
	}
	return pace
}

// inUse returns the Limiters that were asked for within the time that a rate takes to recover.
func (r *Registry) inUse(now time.Time) []*Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	var limiters []*Limiter
	for _, b := range r.accounts {
		if now.Sub(b.used) <= recovery || !b.limiter.idle() {
			limiters = append(limiters, b.limiter)
		}
	}
	return limiters
}
