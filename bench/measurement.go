package main

import (
	"math"
	"slices"
	"time"
)

// measurement is how much a reader read, and the resources it used.
type measurement struct {
	Records int
	Wall    time.Duration
	CPU     time.Duration
	Peak    int64 // resident memory in bytes
}

// rate returns the records per second.
func (m measurement) rate() float64 { return ratio(float64(m.Records), m.Wall.Seconds()) }

// cost returns the processor time per record, in nanoseconds.
func (m measurement) cost() float64 { return ratio(float64(m.CPU), float64(m.Records)) }

// rounds are the measurements of one reader, one per round.
type rounds []measurement

// median returns the median of a figure over all rounds.
func (r rounds) median(of func(measurement) float64) float64 {
	values := make([]float64, len(r))
	for i, m := range r {
		values[i] = of(m)
	}
	return median(values)
}

// against returns the median, over all rounds, of a figure's ratio to that of the baseline in the same round.
func (r rounds) against(baseline rounds, of func(measurement) float64) float64 {
	values := make([]float64, min(len(r), len(baseline)))
	for i := range values {
		values[i] = ratio(of(r[i]), of(baseline[i]))
	}
	return median(values)
}

// ratio returns a/b, or NaN if b is zero.
func ratio(a, b float64) float64 {
	if b == 0 {
		return math.NaN()
	}
	return a / b
}

// median returns the median of values: the mean of the middle two if their number is even, and NaN if there are none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
