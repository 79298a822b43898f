// Package api is the edge to Stripe: it sends GET requests at the pinned API version, tries again what is worth trying
// again, cuts answers into raw objects, and turns Stripe's errors into [connector.Failure].
//
// A process makes one [limit.Registry], so that all Clients of an account share its rate: each request waits for its
// turn at the rate, and with as many others in flight, as Stripe allows.
//
// It is the only package that knows stripe-go, which builds the requests and decodes the errors and does no more: its
// own retries cannot be cancelled and leave 429 out, and its typed decoding loses fields.
package api
