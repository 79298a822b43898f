package limit

import "time"

// gate is what a request has to pass: one for its account and one for its endpoint.
type gate struct {
	bucket bucket
	flight flight
}

func newGate(ceiling float64, now time.Time) gate {
	return gate{newBucket(ceiling, now), newFlight(now)}
}

// advance moves the gate to the time now.
func (g *gate) advance(now time.Time) {
	g.bucket.advance(now)
	g.flight.advance(now)
}

// enter counts a request that is sent.
func (g *gate) enter() {
	g.bucket.tokens--
	g.flight.running++
}

// giveBack reverts enter for a request that is not sent.
func (g *gate) giveBack() {
	g.bucket.tokens = min(g.bucket.tokens+1, g.bucket.burst())
	g.flight.running--
}
