// Package stripetest simulates Stripe, as net/http/httptest simulates a web server: for tests, benchmarks and for trying
// things out without an account.
//
//	stripe := stripetest.NewServer(stripetest.Options{Objects: map[string]int{"/v1/charges": 100_000}})
//	defer stripe.Close()
//	// GET stripe.URL + "/v1/charges?limit=100" with any well-formed key
//
// It answers GET requests as Stripe does at API version 2023-10-16 (https://docs.stripe.com/api): every list endpoint, pages
// newest first, cursors, filters, expansion, embedded lists of ten, events with their retention, restricted keys,
// connected accounts, errors in Stripe's words. Objects are made up from the JSON Schemas of package schema; their ids
// look random, their relations fit together, and texts and numbers are the kind that careless programs break. All is a
// function of [Options]: the same seed produces the same bytes.
//
// # Truth
//
// [Account.Truth] says what a complete read of a list must find, so that a test can compare. [Account.Create],
// [Account.Update] and [Account.Delete] change the data while it is being read, on a clock that the test controls, and leave
// events behind as Stripe does, not for everything and not always in time.
//
// # Trouble
//
// Everything that goes wrong is a switch that works while requests come, so that a random history can break and repair things:
//
//   - [Stripe.Inject] adds a [Fault]: what goes wrong, with which requests, how often. Its kinds are refusals in Stripe's words
//     (refusals.go), proxies and slow or cut answers (network.go), lists that never end (endless.go), and those of [FaultKind].
//   - [Stripe.Break] makes one object unreadable, and every page that would contain it; [Account.Unreadable] says which rows that
//     costs.
//   - [Account.Distort] changes how one object looks: an embedded list that is none, half a surrogate pair, five megabytes.
//     [Account.Emit] adds events of unknown types, and [Stripe.SetOldEvents] payloads in another version's shape.
//   - [Stripe.SetDelays] says how late events, list entries and objects become visible, independently of each other.
//   - [Stripe.SetSkew] sets Stripe's clock wrong, or makes it jump. Every answer has it in its header Date.
//   - [Stripe.SetKey] and [Stripe.SetNotEnabled] change what a key may read and whose it is, and what an account has.
//   - [Limits] are Stripe's limits of rate and concurrency.
//   - [Account.Traffic] makes changes, hundreds of thousands in a few seconds. [Account.Silent] changes without events.
//
// Switches combine. An invoice whose lines cannot be read beyond the ten that it embeds, and that breaks pages for ten minutes:
//
//	repair := stripe.Inject(stripetest.Fault{Kind: stripetest.ServerError, Path: "/v1/invoices/{invoice}/lines", Object: invoice})
//	stripe.Inject(stripetest.Fault{Kind: stripetest.Truncated, Containing: invoice, Until: stripe.Now().Add(10 * time.Minute)})
//
// A key that may read customers, but not what a request expands into them, until it gets the permission:
//
//	stripe.SetKey(key, stripetest.Key{Permissions: []string{"rak_customer_read"}})
//	stripe.SetKey(key, stripetest.Key{Permissions: []string{"rak_customer_read", "rak_source_read"}})
//
// # What it does not do
//
// It writes nothing: any other method than GET is answered 405 and remembered by [Stripe.Violations]. Objects fit together
// by their ids, but not in their sums: an invoice's total is not that of its lines. Filters by parts of nested objects are
// accepted and do nothing; of the search language, only comparisons joined by AND are understood; previews are empty.
//
// # Its memory
//
// No object is kept. An object is its ordinal, from which its id, its relations and its values are computed, and is written
// from templates that are made once for each object type: sixteen variants of literal text with slots between. An account
// with 100,000 charges takes a few megabytes, and a page of 100 charges well under a millisecond.
package stripetest
