// Package backfill reads lists: as fast as Stripe's limits allow, in an order that a state can describe.
//
// What is left to read of an endpoint is a set of spans: windows of creation time, which workers page through from their
// newest end. A worker with nothing to do takes the older half of the span with the most pages left, by the density of what
// arrived of it. So a sparse stream costs one chain of pages, a dense one uses the rate that Stripe allows, and no window
// size is configured. Split points lie below what has arrived, so no object is sent from two spans in the wrong order.
//
// A worker commits a page before it requests the next, so that slow receivers hold back the requests, and memory is bounded
// by the number of workers. That follows the rate limiter: enough requests in flight to use the rate, no more.
package backfill
