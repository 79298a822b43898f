package main

import (
	"math"
	"slices"
	"time"
)

// measurement is what a reader did and used.
type measurement struct {
	Records int
	Wall    time.Duration
	CPU     time.Duration
	Peak    int64 // bytes of resident memory
}

// rate is in records per second.
func (m measurement) rate() float64 { return ratio(float64(m.Records), m.Wall.Seconds()) }

// cost is processor time per record, in nanoseconds.
func (m measurement) cost() float64 { return ratio(float64(m.CPU), float64(m.Records)) }

// rounds are measurements of one reader, one for each round.
type rounds []measurement

// median is that of a figure of each.
func (r rounds) median(of func(measurement) float64) float64 {
	values := make([]float64, len(r))
	for i, m := range r {
		values[i] = of(m)
	}
	return median(values)
}

// against is the median, over the rounds, of the ratio to a baseline in the same round.
func (r rounds) against(baseline rounds, of func(measurement) float64) float64 {
	values := make([]float64, min(len(r), len(baseline)))
	for i := range values {
		values[i] = ratio(of(r[i]), of(baseline[i]))
	}
	return median(values)
}

// ratio is NaN where there is nothing to divide by.
func ratio(a, b float64) float64 {
	if b == 0 {
		return math.NaN()
	}
	return a / b
}

// median is NaN of nothing, and the mean of the two in the middle of an even number.
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
