package api

import "time"

// gate is what a request passes: one of its account and one of its endpoint.
type gate struct {
	bucket bucket
	flight flight
}

func newGate(ceiling float64, now time.Time) gate {
	return gate{newBucket(ceiling, now), newFlight(now)}
}

// advance lets the time pass until now.
func (g *gate) advance(now time.Time) {
	g.bucket.advance(now)
	g.flight.advance(now)
}

// enter counts a request that is sent.
func (g *gate) enter() {
	g.bucket.tokens--
	g.flight.running++
}

// giveBack takes back a request that was counted but is not sent.
func (g *gate) giveBack() {
	g.bucket.tokens = min(g.bucket.tokens+1, g.bucket.burst())
	g.flight.running--
}
