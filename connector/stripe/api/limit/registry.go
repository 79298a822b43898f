package limit

import (
	"crypto/sha256"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// Registry holds the Limiters of all accounts that a process reads, so that all clients of an account share its rate.
// Several processes need no coordination: each backs off when Stripe refuses a request, so they converge to equal shares. A
// Registry is safe for concurrent use.
type Registry struct {
	mu       sync.Mutex
	accounts map[Account]*budget
	caps     map[Account]*budget
	evicted  time.Time
}

// Account identifies the owner of a rate. It is a hash, so that no key stays in memory longer than its client.
type Account [sha256.Size]byte

// AccountOf returns the Account for the parts that identify it in a request, such as a key, a connected account and a host.
// Only Stripe knows which keys belong to the same account, so two keys of one account are two Accounts.
func AccountOf(parts ...string) Account { return sha256.Sum256([]byte(strings.Join(parts, "\x00"))) }

// budget is a Limiter and the time it was last requested.
type budget struct {
	limiter *Limiter
	used    time.Time
}

// NewRegistry returns an empty Registry.
func NewRegistry() *Registry {
	return &Registry{accounts: map[Account]*budget{}, caps: map[Account]*budget{}}
}

// Of returns the Limiter of an account, creating it with ceilings c if there is none. Callers should call it for each
// request and not keep the result: a Limiter that hasn't been requested recently is dropped.
func (r *Registry) Of(account Account, c Ceilings) *Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.of(r.accounts, account, c)
}

// Cap returns the Limiter that holds callers of an account to a rate of their own, below the account's. Callers with the same
// rate share it. Others don't notice it: a request passes it before it waits for the Limiter of the account.
func (r *Registry) Cap(account Account, perSecond float64) *Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := AccountOf(string(account[:]), strconv.FormatFloat(perSecond, 'g', -1, 64))
	return r.of(r.caps, id, Ceilings{Account: perSecond, Endpoint: perSecond, Special: perSecond})
}

// of is called with the lock held.
func (r *Registry) of(budgets map[Account]*budget, account Account, c Ceilings) *Limiter {
	now := time.Now()
	b := budgets[account]
	if b == nil {
		r.evict(now)
		b = &budget{limiter: newLimiter(c, now)}
		budgets[account] = b
	}
	b.used = now
	return b.limiter
}

// evict drops unused Limiters that would be no different from new ones, since their rates have had time to recover.
func (r *Registry) evict(now time.Time) {
	if now.Sub(r.evicted) < recovery {
		return
	}
	r.evicted = now
	for _, budgets := range []map[Account]*budget{r.accounts, r.caps} {
		maps.DeleteFunc(budgets, func(_ Account, b *budget) bool { return now.Sub(b.used) > recovery && b.limiter.isIdle() })
	}
}

// Pace returns the pace summed over all accounts in use now or a moment ago.
func (r *Registry) Pace() connector.Pace {
	now := time.Now()
	var pace connector.Pace
	for _, limiter := range r.inUse(now) {
		limiter.addTo(&pace, now)
	}
	return pace
}

// inUse returns the Limiters that were requested within the recovery time of a rate.
func (r *Registry) inUse(now time.Time) []*Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	var limiters []*Limiter
	for _, b := range r.accounts {
		if now.Sub(b.used) <= recovery || !b.limiter.isIdle() {
			limiters = append(limiters, b.limiter)
		}
	}
	return limiters
}
