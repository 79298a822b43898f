package stripetest

import (
	"math"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits are Stripe's limits per account and mode (https://docs.stripe.com/rate-limits). 0 means no limit.
type Limits struct {
	// Global is the maximum rate of requests per second, and Endpoint the maximum rate per endpoint.
	Global, Endpoint float64
	// Special is the maximum rate per second for files and for search, which Stripe limits more strictly.
	Special float64
	// Burst is how many seconds' worth of requests may arrive at once. The default is 1.
	Burst float64
	// Concurrency is the maximum number of requests in flight, and EndpointConcurrency the maximum per endpoint.
	Concurrency, EndpointConcurrency int
}

// LiveLimits returns the documented limits of live mode.
func LiveLimits() Limits { return Limits{Global: 100, Endpoint: 25, Special: 20} }

// TestLimits returns the documented limits of test mode and sandboxes.
func TestLimits() Limits { return Limits{Global: 25, Endpoint: 25, Special: 20} }

// SetLimits replaces the limits, and starts with full token buckets.
func (s *Stripe) SetLimits(limits Limits) {
	s.limits.lock.Lock()
	defer s.limits.lock.Unlock()
	s.limits.limits, s.limits.accounts = limits, nil
}

// limiter enforces the limits of all accounts and modes.
type limiter struct {
	lock     sync.Mutex
	limits   Limits
	accounts map[limitKey]*accountLimits
}

type limitKey struct {
	account string
	live    bool
}

type accountLimits struct {
	global    *rate.Limiter
	endpoints map[string]*rate.Limiter
	running   int
	runningAt map[string]int
}

// admit admits a request, or returns an error naming the limit it exceeded. The caller must call release after the response.
func (l *limiter) admit(c *caller, pattern string) (release func(), err *apiError) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.limits == (Limits{}) {
		return func() {}, nil
	}
	key := limitKey{c.account.id, c.live}
	a := l.accounts[key]
	if a == nil {
		a = &accountLimits{global: l.bucket(l.limits.Global), endpoints: map[string]*rate.Limiter{}, runningAt: map[string]int{}}
		if l.accounts == nil {
			l.accounts = map[limitKey]*accountLimits{}
		}
		l.accounts[key] = a
	}
	if reason := l.refuses(a, pattern); reason != "" {
		return nil, rateLimited(reason)
	}
	a.running++
	a.runningAt[pattern]++
	return func() {
		l.lock.Lock()
		defer l.lock.Unlock()
		a.running--
		a.runningAt[pattern]--
	}, nil
}

// refuses returns the reason to refuse a request, or "". A refused request takes no token from either bucket.
func (l *limiter) refuses(a *accountLimits, pattern string) string {
	if limit := l.limits.Concurrency; limit > 0 && a.running >= limit {
		return "global-concurrency"
	}
	if limit := l.limits.EndpointConcurrency; limit > 0 && a.runningAt[pattern] >= limit {
		return "endpoint-concurrency"
	}
	bucket := a.endpoints[pattern]
	if bucket == nil {
		limit := l.limits.Endpoint
		if strings.HasPrefix(pattern, "/v1/files") || strings.HasSuffix(pattern, "/search") {
			limit = l.limits.Special
		}
		bucket = l.bucket(limit)
		a.endpoints[pattern] = bucket
	}
	now := time.Now()
	if a.global.TokensAt(now) < 1 {
		return "global-rate"
	}
	if !bucket.AllowN(now, 1) {
		return "endpoint-rate"
	}
	a.global.AllowN(now, 1)
	return ""
}

// bucket returns a full token bucket.
func (l *limiter) bucket(perSecond float64) *rate.Limiter {
	if perSecond <= 0 {
		return rate.NewLimiter(rate.Inf, math.MaxInt32)
	}
	burst := l.limits.Burst
	if burst == 0 {
		burst = 1
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond*burst)))
}
