// Package api is the edge to Stripe: it sends GET requests at the pinned API version, retries what is worth retrying, cuts
// answers into raw objects, and turns errors into [connector.Failure].
//
//   - A process makes one [limit.Registry], so that all Clients of an account share its rate: each request waits for its
//     turn at the rate, and with as many others in flight, as Stripe allows.
//   - Stripe's refusals are one table, in refusals.go. What stands between, such as a proxy, is told from Stripe in
//     unreachable.go. The predicates, such as [IsGone] and [IsBroken], report what a failure concerns.
//   - The time is Stripe's: see [Client.Now].
//   - A [Meter] counts a Read's requests and knows what it waits for.
//
// It is the only package that knows stripe-go, which builds the requests and decodes the errors and does no more: its own
// retries cannot be cancelled and leave 429 out, and its typed decoding loses fields.
package api
