// Package backfill reads lists as fast as Stripe's limits allow, in an order that a state can describe.
//
// What is left to read of an endpoint is a set of spans: windows of creation time. A worker pages through a span from its
// newest end. An idle worker splits the span with the most pages left, as estimated from the density of the objects seen so
// far, and takes its older half. So a sparse stream costs one chain of pages, a dense one uses the full rate that Stripe
// allows, and no window size needs to be configured. A span is only split below the objects that have arrived, so no object
// is sent by two spans in the wrong order.
//
// A worker commits each page before it requests the next. So slow receivers slow down the requests, and memory is bounded
// by the number of workers. That number follows the rate limiter: there are just enough requests in flight to use the rate.
package backfill
