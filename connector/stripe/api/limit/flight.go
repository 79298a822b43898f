package limit

import (
	"math"
	"time"
)

const (
	// minFlight and maxFlight bound the requests in flight. Two, so that one slow response doesn't stop a stream; 64,
	// because Stripe limits concurrency too and doesn't say at what number (https://docs.stripe.com/rate-limits).
	minFlight, maxFlight = 2, 64
	// headroom is the factor by which the requests in flight exceed Little's law, because some time passes between a
	// response and the next request.
	headroom = 1.5
	// guess is the latency assumed before the first response.
	guess = 100 * time.Millisecond
	// flightDecrease is the factor that a refusal applies to the requests in flight. flightRecovery is the number that is
	// added back per second.
	flightDecrease, flightRecovery = 0.7, 0.25
)

// flight bounds the requests in flight to what the rate needs at the current latency (Little's law) and to what Stripe
// tolerates. It isn't safe for concurrent use.
type flight struct {
	running   int
	latency   float64   // seconds, smoothed; zero before the first response
	deviation float64   // seconds, smoothed
	tolerated float64   // number of requests in flight that Stripe is known to tolerate
	now       time.Time // when tolerated was last updated
	yielded   time.Time // when tolerated was last lowered
}

func newFlight(now time.Time) flight { return flight{tolerated: maxFlight, now: now} }

// advance updates the flight to the time now. It ignores times in the past.
func (f *flight) advance(now time.Time) {
	if passed := now.Sub(f.now).Seconds(); passed > 0 {
		f.now = now
		f.tolerated = min(f.tolerated+passed*flightRecovery, maxFlight)
	}
}

// observe updates the latency with that of a response, as TCP does (https://www.rfc-editor.org/rfc/rfc6298#section-2).
func (f *flight) observe(latency time.Duration) {
	seconds := latency.Seconds()
	if f.latency == 0 {
		f.latency, f.deviation = seconds, seconds/2
		return
	}
	f.deviation += (math.Abs(seconds-f.latency) - f.deviation) / 4
	f.latency += (seconds - f.latency) / 8
}

// expect returns a latency in seconds that few responses exceed.
func (f *flight) expect() float64 { return f.latency + f.deviation }

// limit returns the number of requests in flight that a rate needs at a latency in seconds.
func (f *flight) limit(rate, latency float64) int {
	if latency == 0 {
		latency = guess.Seconds()
	}
	needed := min(max(math.Ceil(rate*latency*headroom), minFlight), maxFlight)
	return int(min(needed, math.Floor(f.tolerated)))
}

// yield lowers the requests in flight because Stripe refused a request sent at the time sent. It ignores requests sent
// before the last decrease.
func (f *flight) yield(sent time.Time) {
	if sent.Before(f.yielded) {
		return
	}
	f.yielded = f.now
	f.tolerated = max(1, min(f.tolerated, float64(f.running))*flightDecrease)
}
