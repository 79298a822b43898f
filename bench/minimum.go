package main

import (
	"math"
	"time"
)

// perPage is the maximum number of objects on a page.
const perPage = 100

// minPages returns the number of pages of a list of n objects. An empty list has one page, since finding out takes a
// request.
func minPages(n int) int { return max(1, (n+perPage-1)/perPage) }

// pagesAfter returns the number of pages needed to read the rest of a list of n objects, of which the first ones are
// known.
func pagesAfter(n, known int) int { return (max(0, n-known) + perPage - 1) / perPage }

// Stripe's documented limits of live mode, in requests per second.
const accountLimit, endpointLimit = 100, 25

// shortest returns the shortest time in which the limits allow these numbers of requests to the endpoints.
func shortest(requests map[string]int) time.Duration {
	all, most := 0, 0
	for _, n := range requests {
		all, most = all+n, max(most, n)
	}
	seconds := math.Max(float64(all)/accountLimit, float64(most)/endpointLimit)
	return time.Duration(seconds * float64(time.Second))
}
