package limit_test

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// strictness sets the limits of a simulated Stripe (https://docs.stripe.com/rate-limits) and its latency.
type strictness struct {
	account, endpoint       float64 // requests per second; 0 means no limit
	windows                 bool    // counts per second of the clock instead of using a token bucket
	burst                   float64 // size of the token bucket, in seconds of its rate; 0 means 1
	concurrent, perEndpoint int     // limits on requests in flight; 0 means no limit
	latency, jitter         time.Duration
}

// strict is a simulated Stripe that enforces its limits and counts all requests since the last reset.
type strict struct {
	strictness
	mu      sync.Mutex
	random  *rand.Rand
	all     *gauge
	at      map[string]*gauge
	passed  []time.Time
	refused map[string]int // by reason
	highest int            // most requests in flight
}

// gauge enforces one rate limit and counts the requests in flight.
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

// hasRoom reports whether one more request is allowed now.
func (g *gauge) hasRoom(now time.Time, windows bool) bool {
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

// respond answers a request, with 429 and the reason if it exceeds a limit.
func (s *strict) respond(path string) (status int, header http.Header) {
	s.travel()
	g, reason := s.arrive(path)
	s.travel()
	if reason != "" {
		return http.StatusTooManyRequests, http.Header{"Stripe-Rate-Limited-Reason": {reason}}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all.running--
	g.running--
	return http.StatusOK, nil
}

// travel waits for half the latency.
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
	if reason := s.refusal(now, g); reason != "" {
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

func (s *strict) refusal(now time.Time, g *gauge) string {
	switch {
	case s.concurrent > 0 && s.all.running >= s.concurrent:
		return "global-concurrency"
	case s.perEndpoint > 0 && g.running >= s.perEndpoint:
		return "endpoint-concurrency"
	case !s.all.hasRoom(now, s.windows):
		return "global-rate"
	case !g.hasRoom(now, s.windows):
		return "endpoint-rate"
	}
	return ""
}

// reset clears the counts, so that a test can measure part of its run.
func (s *strict) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passed, s.refused, s.highest = nil, map[string]int{}, 0
}

// counts returns the number of requests served and refused since the last reset.
func (s *strict) counts() (passed, refused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.refused {
		refused += n
	}
	return len(s.passed), refused
}

// busiest returns the most requests served within one second, wherever it starts.
func (s *strict) busiest() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	maximum, first := 0, 0
	for i, at := range s.passed {
		for at.Sub(s.passed[first]) >= time.Second {
			first++
		}
		maximum = max(maximum, i-first+1)
	}
	return maximum
}
