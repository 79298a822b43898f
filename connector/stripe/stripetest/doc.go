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
// function of [Options]: the same seed gives the same bytes.
//
// # Truth
//
// [Account.Truth] says what a complete read of a list must find, so that a test can compare. [Account.Create],
// [Account.Update] and [Account.Delete] change the data while it is being read, on a clock that the test controls, and leave
// events behind as Stripe does, not for everything and not always in time.
//
// # Trouble
//
// [Stripe.Inject] makes requests fail: 429, 500, HTML, cut bodies, broken connections. [Limits] are Stripe's limits of rate
// and concurrency.
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
