package main

import (
	"math"
	"time"
)

// perPage is how many objects a page of Stripe has at most.
const perPage = 100

// minPages is how many pages a list of n objects has: one if it is empty, since one must ask to know.
func minPages(n int) int { return max(1, (n+perPage-1)/perPage) }

// pagesAfter is how many pages a list of n objects takes of whose first ones so many are known.
func pagesAfter(n, known int) int { return (max(0, n-known) + perPage - 1) / perPage }

// Stripe's documented limits of live mode, in requests per second.
const accountLimit, endpointLimit = 100, 25

// shortest is the time in which the limits allow so many requests to each of some endpoints.
func shortest(requests map[string]int) time.Duration {
	all, most := 0, 0
	for _, n := range requests {
		all, most = all+n, max(most, n)
	}
	seconds := math.Max(float64(all)/accountLimit, float64(most)/endpointLimit)
	return time.Duration(seconds * float64(time.Second))
}
