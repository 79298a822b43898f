package api

import (
	"math"
	"time"
)

// The control of a rate is of the kind of TCP's: it grows by small steps and shrinks in proportion, by which any number
// of clients that know nothing of each other converge to equal shares
// (https://en.wikipedia.org/wiki/Additive_increase/multiplicative_decrease). It grows the slower the lower it is, with
// its square root, so that an account whose limits Stripe lowered is not refused all the time.
const (
	// recovery is how long a rate takes from nothing to its ceiling. From a half it takes 24 s.
	recovery = 90 * time.Second
	// decrease is what a refusal leaves of the rate. It weighs two harms: two clients that share 25/s are refused with
	// some 1.6 % of their requests (more if this were 0.8), and when both are refused at once they use 90 % of the limit
	// (less if this were 0.7).
	decrease = 0.75
	// yieldEvery is the shortest time between two decreases: a server that counts by the second refuses the rest of a
	// second, and that tells no more than its first refusal.
	yieldEvery = 250 * time.Millisecond
	// share is what a bucket uses of its ceiling all the time. The rest is its burst, which makes up for timers that
	// fire late: share and burst together are the ceiling, so that no second, wherever it begins, sees more requests.
	share = 0.95
	// least is what remains of the ceiling however often Stripe refuses.
	least = 0.02
)

// bucket is a token bucket whose rate gives way when Stripe refuses, and creeps back to its ceiling. Whoever owns it
// locks it. Its times only go forward: advance comes before all else.
type bucket struct {
	ceiling float64 // tokens per second
	rate    float64 // tokens per second, at present
	tokens  float64
	now     time.Time // when the above were true
	yielded time.Time // when the rate was lowered last
}

func newBucket(ceiling float64, now time.Time) bucket {
	return bucket{ceiling: ceiling, rate: share * ceiling, tokens: 1, now: now}
}

// burst is the number of tokens that a bucket holds: one at least, or nothing would ever pass.
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

// advance lets the time pass until now.
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

// in gives the time until there is a token; zero if there is one.
func (b *bucket) in() time.Duration {
	const rounding = 1e-6 // a token is whole when this little is missing: sums of fractions are never exact
	missing := 1 - rounding - b.tokens
	if missing <= 0 {
		return 0
	}
	return time.Duration(math.Ceil(missing / b.rate * float64(time.Second)))
}

// yield lowers the rate because Stripe refused a request that was sent at sent. Requests sent before the last decrease
// tell nothing new.
func (b *bucket) yield(sent time.Time) {
	if sent.Before(b.yielded) || b.now.Sub(b.yielded) < yieldEvery {
		return
	}
	b.yielded = b.now
	b.rate = max(b.rate*decrease, least*b.ceiling)
	b.tokens = min(b.tokens, 0) // what was saved up is what was refused
}
