package limit

import "time"

// gate is the pair of limits that a request must pass, once for its account and once for its endpoint.
type gate struct {
	bucket bucket
	flight flight
}

func newGate(ceiling float64, now time.Time) gate {
	return gate{newBucket(ceiling, now), newFlight(now)}
}

// advance updates the gate to the time now.
func (g *gate) advance(now time.Time) {
	g.bucket.advance(now)
	g.flight.advance(now)
}

// enter counts a request that is being sent.
func (g *gate) enter() {
	g.bucket.tokens--
	g.flight.running++
}

// leave reverts enter for a request that isn't sent after all.
func (g *gate) leave() {
	g.bucket.tokens = min(g.bucket.tokens+1, g.bucket.burst())
	g.flight.running--
}
