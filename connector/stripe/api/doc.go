// Package api sends GET requests to Stripe at the pinned API version, retries them, cuts responses into raw objects, and
// turns errors into [connector.Failure] values.
//
//   - A process creates one [limit.Registry], so that all Clients of an account share its rate: each request waits for its
//     turn, within the rate and the number of concurrent requests that Stripe allows.
//   - The table in refusals.go says what each of Stripe's refusals means. unreachable.go recognizes responses of proxies and
//     other intermediaries. Predicates such as [IsGone] and [IsBroken] report what a failure is about.
//   - Time is Stripe's: see [Client.Now].
//   - A [Meter] counts a Read's requests and knows what the Read is waiting for.
//
// It is the only package that imports stripe-go, and uses it only to build requests and decode errors. The retries of
// stripe-go can't be canceled and don't cover 429, and its typed decoding loses fields.
package api
