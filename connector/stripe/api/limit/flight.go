package limit

import (
	"math"
	"time"
)

const (
	// fewest and most bound the requests in flight that a rate asks for. Two, so that one slow answer does not stop a
	// stream; 64, because Stripe limits concurrency too and does not say at what (https://docs.stripe.com/rate-limits).
	fewest, most = 2, 64
	// headroom is the factor by which the requests in flight exceed Little's law, because some time passes between an
	// answer and the next request.
	headroom = 1.5
	// guess is the latency assumed before the first answer.
	guess = 100 * time.Millisecond
	// fewer is what a refusal leaves of the requests in flight; more is how many are added back per second.
	fewer, more = 0.7, 0.25
)

// flight bounds the requests in flight to what a rate needs at the present latency (Little's law) and to what Stripe
// tolerates. Its owner locks it.
type flight struct {
	running   int
	latency   float64   // seconds, smoothed; zero before the first answer
	deviation float64   // seconds, smoothed
	tolerated float64   // what Stripe allows in flight, as far as is known
	now       time.Time // when tolerated was true
	yielded   time.Time // when tolerated was lowered last
}

func newFlight(now time.Time) flight { return flight{tolerated: most, now: now} }

// advance moves the flight to the time now. Time only moves forward.
func (f *flight) advance(now time.Time) {
	if passed := now.Sub(f.now).Seconds(); passed > 0 {
		f.now = now
		f.tolerated = min(f.tolerated+passed*more, most)
	}
}

// observe learns from the latency of an answer, as TCP does (https://www.rfc-editor.org/rfc/rfc6298#section-2).
func (f *flight) observe(latency time.Duration) {
	seconds := latency.Seconds()
	if f.latency == 0 {
		f.latency, f.deviation = seconds, seconds/2
		return
	}
	f.deviation += (math.Abs(seconds-f.latency) - f.deviation) / 4
	f.latency += (seconds - f.latency) / 8
}

// expect returns a latency that few answers exceed, in seconds.
func (f *flight) expect() float64 { return f.latency + f.deviation }

// limit returns the number of requests in flight that a rate needs at a latency in seconds.
func (f *flight) limit(rate, latency float64) int {
	if latency == 0 {
		latency = guess.Seconds()
	}
	needed := min(max(math.Ceil(rate*latency*headroom), fewest), most)
	return int(min(needed, math.Floor(f.tolerated)))
}

// yield lowers what may be in flight because Stripe refused a request sent at the time sent. Requests sent before the
// last decrease are no news.
func (f *flight) yield(sent time.Time) {
	if sent.Before(f.yielded) {
		return
	}
	f.yielded = f.now
	f.tolerated = max(1, min(f.tolerated, float64(f.running))*fewer)
}
