package limit

import (
	"math"
	"time"
)

// Rates are controlled as in TCP, by additive increase and multiplicative decrease, so any number of independent clients
// converge to equal shares (https://en.wikipedia.org/wiki/Additive_increase/multiplicative_decrease). The increase is
// proportional to the square root of the rate, so that an account whose limits Stripe lowered is probed more gently.
const (
	// recovery is how long a rate takes to grow from zero to its ceiling. From half of the ceiling it takes 24 s.
	recovery = 90 * time.Second
	// decrease is the factor that a refusal applies to the rate. With 0.75, two clients that share 25/s have about 1.6 % of
	// their requests refused (more with 0.8), and use 90 % of the limit if both are refused at once (less with 0.7).
	decrease = 0.75
	// yieldEvery is the shortest time between two decreases. A server that counts by the second refuses everything until
	// the second ends, and those refusals carry no more information than the first.
	yieldEvery = 250 * time.Millisecond
	// share is the part of the ceiling that the rate of a bucket uses. The rest is its burst, which compensates for timers
	// that fire late. Together they equal the ceiling, so no second, wherever it starts, sees more requests than that.
	share = 0.95
	// maxWait bounds a wait for a token: at a tiny rate, it would overflow a duration.
	maxWait = time.Hour
	// minShare is the part of the ceiling that remains however often Stripe refuses.
	minShare = 0.02
)

// bucket is a token bucket whose rate backs off when Stripe refuses a request and then recovers up to its ceiling. It isn't
// safe for concurrent use; advance must be called before any other method.
type bucket struct {
	ceiling float64 // tokens per second
	rate    float64 // current tokens per second
	tokens  float64
	now     time.Time // when rate and tokens were last updated
	yielded time.Time // when the rate was last lowered
}

func newBucket(ceiling float64, now time.Time) bucket {
	return bucket{ceiling: ceiling, rate: share * ceiling, tokens: 1, now: now}
}

// burst returns the capacity of the bucket: at least one token, or nothing could ever be sent.
func (b *bucket) burst() float64 { return max(1, b.rate*(1-share)/share) }

// setCeiling changes the ceiling. A rate that is at the old ceiling moves to the new one.
func (b *bucket) setCeiling(ceiling float64) {
	if b.rate >= share*b.ceiling {
		b.rate = share * ceiling
	}
	b.ceiling = ceiling
	b.rate = min(b.rate, share*ceiling)
	b.tokens = min(b.tokens, b.burst())
}

// advance updates the bucket to the time now. It ignores times in the past.
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

// untilToken returns the time until there is a token, or zero if there is one.
func (b *bucket) untilToken() time.Duration {
	const rounding = 1e-6 // tolerance for a whole token, since sums of fractions are never exact
	missing := 1 - rounding - b.tokens
	if missing <= 0 {
		return 0
	}
	return time.Duration(math.Ceil(min(missing/b.rate, maxWait.Seconds()) * float64(time.Second)))
}

// yield lowers the rate because Stripe refused a request sent at the time sent. It ignores requests sent before the last
// decrease.
func (b *bucket) yield(sent time.Time) {
	if sent.Before(b.yielded) || b.now.Sub(b.yielded) < yieldEvery {
		return
	}
	b.yielded = b.now
	b.rate = max(b.rate*decrease, minShare*b.ceiling)
	b.tokens = min(b.tokens, 0) // the saved-up tokens are what was refused
}
