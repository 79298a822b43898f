package stripetest

import (
	"math"
	"slices"
)

// Density maps the rank of an object, from 0 for the oldest toward 1 for the newest, to the fraction of the time span at
// which it was created, in [0, 1). It should not decrease.
type Density func(rank float64) float64

// Even spreads objects evenly.
func Even(rank float64) float64 { return rank }

// Growing creates more and more objects toward the end, like a growing company.
func Growing(rank float64) float64 { return math.Sqrt(rank) }

// Bursty creates nine tenths of the objects in three short bursts, each about a hundredth of the time span, and spreads the
// rest evenly.
func Bursty(rank float64) float64 {
	third := math.Floor(rank * 3)
	within := rank*3 - third
	if within < 0.1 {
		return (third + within*9.9) / 3
	}
	return (third + 0.99 + (within-0.1)/0.9*0.0099) / 3
}

// OneSecond creates all objects within one second in the middle of the time span.
func OneSecond(float64) float64 { return 0.5 }

// times returns the creation times of a store's n initial objects, oldest first.
func times(o *Options, n int, seed uint64) []uint32 {
	created := make([]uint32, n)
	start, span := o.Start.Unix(), float64(o.End.Unix()-o.Start.Unix())
	for i := range created {
		jitter := float64(draw(seed, int32(i), 1)>>11) / (1 << 53)
		at := o.Density((float64(i) + jitter) / float64(n))
		created[i] = uint32(start + int64(span*min(max(at, 0), math.Nextafter(1, 0))))
	}
	if !slices.IsSorted(created) {
		slices.Sort(created)
	}
	return created
}
