// Package stripetest simulates Stripe for tests, benchmarks and demonstrations without an account, much as net/http/httptest
// provides a web server.
//
//	stripe := stripetest.NewServer(stripetest.Options{Objects: map[string]int{"/v1/charges": 100_000}})
//	defer stripe.Close()
//	// GET stripe.URL + "/v1/charges?limit=100" with any well-formed key
//
// It answers GET requests like Stripe's API version 2023-10-16 (https://docs.stripe.com/api). It supports every list endpoint
// with newest-first pages, cursors, filters and expansion, embedded lists of ten, events with their retention, restricted
// keys, connected accounts, and Stripe's own error messages. Objects are generated from the JSON Schemas of package schema.
// Their ids look random, their relations are consistent, and their texts and numbers include values that careless programs
// get wrong. All data is a function of [Options]: the same seed produces the same bytes.
//
// # Truth
//
// [Account.Truth] returns what a complete read of a list must find, for a test to compare against. [Account.Create],
// [Account.Update] and [Account.Delete] change the data during a read, on a clock that the test controls. Like Stripe, they
// emit events for many changes but not all, and not always promptly.
//
// # Faults
//
// Every fault can be switched on and off while requests are in flight, so a random history can break and repair things:
//
//   - [Stripe.Inject] adds a [Fault], which says what fails, for which requests, and how often. Its kinds are the constants of
//     [FaultKind], refusals in Stripe's words (refusals.go), proxies and slow or cut responses (network.go), and lists that
//     never end (endless.go).
//   - [Stripe.Break] makes one object unreadable, along with every page that would contain it. [Account.Unreadable] returns
//     the rows that this affects.
//   - [Account.Distort] changes how one object looks: a malformed embedded list, half a surrogate pair, five megabytes of text.
//     [Account.Emit] adds events of unknown types. [Stripe.SetOldEvents] adds payloads in the shape of another API version.
//   - [Stripe.SetDelays] sets how late events, list entries and objects become visible, independently of each other.
//   - [Stripe.SetSkew] sets Stripe's clock fast or slow, at once. Every response shows that clock in its Date header.
//   - [Stripe.SetKey] changes what a key may read and which account it belongs to. [Stripe.SetNotEnabled] changes which
//     products the account has.
//   - [Limits] are Stripe's rate and concurrency limits.
//   - [Account.Traffic] makes changes, hundreds of thousands in a few seconds. [Account.Silent] makes changes without events.
//
// Faults combine. For example, an invoice whose lines beyond the ten embedded ones cannot be read, and which breaks every page
// that contains it for ten minutes:
//
//	repair := stripe.Inject(stripetest.Fault{Kind: stripetest.ServerError, Path: "/v1/invoices/{invoice}/lines", Object: invoice})
//	stripe.Inject(stripetest.Fault{Kind: stripetest.Truncated, Containing: invoice, Until: stripe.Now().Add(10 * time.Minute)})
//
// A key that may read customers, but not the sources expanded in them until it receives that permission:
//
//	stripe.SetKey(key, stripetest.Key{Permissions: []string{"rak_customer_read"}})
//	stripe.SetKey(key, stripetest.Key{Permissions: []string{"rak_customer_read", "rak_source_read"}})
//
// # Limitations
//
// The server is read-only: any method other than GET gets a 405 and is recorded by [Stripe.Violations]. Objects are consistent
// in their ids but not in their sums: an invoice's total is not the sum of its lines. Filters on parts of nested objects are
// accepted and ignored. Of the search language, only comparisons joined by AND are supported. Previews are empty.
//
// # Memory
//
// Objects are not stored. An object is its ordinal, from which its id, relations and values are computed. Its JSON is written
// from templates, made once per object type: sixteen variants of literal text with slots between. An account with 100,000
// charges takes a few megabytes, and a page of 100 charges takes well under a millisecond.
package stripetest
