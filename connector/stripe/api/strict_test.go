package api_test

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
)

// strictness says which limits a strict Stripe has (https://docs.stripe.com/rate-limits), and how slow it is.
type strictness struct {
	account, endpoint       float64 // requests per second; 0 means no limit
	windows                 bool    // counts by the second of the clock, instead of a token bucket
	burst                   float64 // seconds' worth of requests that a token bucket lets pass at once; 0 means one
	concurrent, perEndpoint int     // in flight; 0 means no limit
	latency, jitter         time.Duration
}

// strict is a Stripe that keeps to its limits and takes its time. It counts all requests since the last reset.
type strict struct {
	strictness
	mu      sync.Mutex
	random  *rand.Rand
	all     *gauge
	at      map[string]*gauge
	passed  []time.Time
	refused map[string]int // by reason
	highest int            // in flight
}

// gauge keeps one limit of rate and one of concurrency.
type gauge struct {
	bucket  *rate.Limiter
	limit   float64
	window  int64
	count   float64
	running int
}

func newStrict(o strictness) *strict {
	return &strict{
		strictness: o, random: rand.New(rand.NewPCG(1, 2)),
		all: newGauge(o.account, o.burst), at: map[string]*gauge{}, refused: map[string]int{},
	}
}

func newGauge(perSecond, burst float64) *gauge {
	if perSecond == 0 {
		perSecond = 1e9
	}
	if burst == 0 {
		burst = 1
	}
	return &gauge{bucket: rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond*burst))), limit: perSecond}
}

// has tells whether there is room for one more request now.
func (g *gauge) has(now time.Time, windows bool) bool {
	if !windows {
		return g.bucket.TokensAt(now) >= 1
	}
	if now.Unix() != g.window {
		g.window, g.count = now.Unix(), 0
	}
	return g.count < g.limit
}

func (g *gauge) take(now time.Time) {
	g.bucket.AllowN(now, 1)
	g.count++
}

// by is the Stripe as one more client sees it, which counts what it was let through with.
func (s *strict) by(passed *atomic.Int64) http.RoundTripper {
	return roundTrip(func(req *http.Request) (*http.Response, error) {
		s.travel()
		g, reason := s.arrive(req.URL.Path)
		s.travel()
		if reason != "" {
			return answer(req, 429, http.Header{"Stripe-Rate-Limited-Reason": {reason}}, `{"error":{"code":"rate_limit"}}`), nil
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all.running--
		g.running--
		passed.Add(1)
		return answer(req, 200, nil, list), nil
	})
}

// travel takes half the latency.
func (s *strict) travel() {
	s.mu.Lock()
	latency := s.latency + time.Duration(s.random.Float64()*float64(s.jitter))
	s.mu.Unlock()
	time.Sleep(latency / 2)
}

func (s *strict) arrive(path string) (*gauge, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	g := s.at[path]
	if g == nil {
		g = newGauge(s.endpoint, s.burst)
		s.at[path] = g
	}
	if reason := s.refuses(now, g); reason != "" {
		s.refused[reason]++
		return nil, reason
	}
	s.all.take(now)
	g.take(now)
	s.all.running++
	g.running++
	s.highest = max(s.highest, s.all.running)
	s.passed = append(s.passed, now)
	return g, ""
}

func (s *strict) refuses(now time.Time, g *gauge) string {
	switch {
	case s.concurrent > 0 && s.all.running >= s.concurrent:
		return "global-concurrency"
	case s.perEndpoint > 0 && g.running >= s.perEndpoint:
		return "endpoint-concurrency"
	case !s.all.has(now, s.windows):
		return "global-rate"
	case !g.has(now, s.windows):
		return "endpoint-rate"
	}
	return ""
}

// reset forgets what was counted, so that a test can look at a part of its run.
func (s *strict) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passed, s.refused, s.highest = nil, map[string]int{}, 0
}

// counts gives the requests let pass and refused since the last reset.
func (s *strict) counts() (passed, refused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.refused {
		refused += n
	}
	return len(s.passed), refused
}

// busiest gives the most requests let pass within a second, wherever it begins.
func (s *strict) busiest() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	most, first := 0, 0
	for i, at := range s.passed {
		for at.Sub(s.passed[first]) >= time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// replica is a process of its own that reads the account.
func (s *strict) replica(key string, change ...func(*api.Options)) (*api.Client, *atomic.Int64) {
	passed := new(atomic.Int64)
	o := api.Options{Key: key, Transport: s.by(passed), Limits: api.NewLimits()}
	for _, c := range change {
		c(&o)
	}
	return api.New(o), passed
}
