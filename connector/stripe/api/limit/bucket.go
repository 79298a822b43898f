package limit

import (
	"math"
	"time"
)

// Rates are controlled as in TCP: additive increase, multiplicative decrease. Any number of clients that know nothing of
// each other converge to equal shares (https://en.wikipedia.org/wiki/Additive_increase/multiplicative_decrease). The
// increase is proportional to the square root of the rate: an account whose limits Stripe lowered is probed more gently.
const (
	// recovery is how long a rate takes to grow from nothing to its ceiling. From half of it, 24 s.
	recovery = 90 * time.Second
	// decrease is what a refusal leaves of the rate. It is a compromise: two clients that share 25/s have some 1.6 % of
	// their requests refused (more at 0.8), and use 90 % of the limit if both are refused at once (less at 0.7).
	decrease = 0.75
	// yieldEvery is the shortest time between two decreases: a server that counts by the second refuses everything until
	// the second ends, and those refusals say no more than the first.
	yieldEvery = 250 * time.Millisecond
	// share is the part of the ceiling that a bucket uses all the time. The rest is its burst, which makes up for timers
	// that fire late. Together they are the ceiling, so no second, wherever it begins, sees more requests.
	share = 0.95
	// least is what remains of the ceiling however often Stripe refuses.
	least = 0.02
)

// bucket is a token bucket whose rate backs off when Stripe refuses, and creeps back to its ceiling. Its owner locks it,
// and calls advance before anything else.
type bucket struct {
	ceiling float64 // tokens per second
	rate    float64 // tokens per second, at present
	tokens  float64
	now     time.Time // when the above was true
	yielded time.Time // when the rate was lowered last
}

func newBucket(ceiling float64, now time.Time) bucket {
	return bucket{ceiling: ceiling, rate: share * ceiling, tokens: 1, now: now}
}

// burst returns the number of tokens that a bucket holds: at least one, or nothing would ever pass.
func (b *bucket) burst() float64 { return max(1, b.rate*(1-share)/share) }

// cap changes the ceiling. A rate at the old one follows it.
func (b *bucket) cap(ceiling float64) {
	if b.rate >= share*b.ceiling {
		b.rate = share * ceiling
	}
	b.ceiling = ceiling
	b.rate = min(b.rate, share*ceiling)
	b.tokens = min(b.tokens, b.burst())
}

// advance moves the bucket to the time now. Time only moves forward.
func (b *bucket) advance(now time.Time) {
	passed := now.Sub(b.now).Seconds()
	if passed <= 0 {
		return
	}
	b.now = now
	b.tokens = min(b.tokens+passed*b.rate, b.burst())
	root := math.Sqrt(b.rate/b.ceiling) + passed/recovery.Seconds()
	b.rate = b.ceiling * min(root*root, share)
}

// in returns the time until there is a token, or zero if there is one.
func (b *bucket) in() time.Duration {
	const rounding = 1e-6 // a token is whole when this little is missing: sums of fractions are never exact
	missing := 1 - rounding - b.tokens
	if missing <= 0 {
		return 0
	}
	return time.Duration(math.Ceil(missing / b.rate * float64(time.Second)))
}

// yield lowers the rate because Stripe refused a request sent at the time sent. Requests sent before the last decrease
// are no news.
func (b *bucket) yield(sent time.Time) {
	if sent.Before(b.yielded) || b.now.Sub(b.yielded) < yieldEvery {
		return
	}
	b.yielded = b.now
	b.rate = max(b.rate*decrease, least*b.ceiling)
	b.tokens = min(b.tokens, 0) // what was saved up is what was refused
}
