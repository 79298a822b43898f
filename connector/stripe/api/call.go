package api

import (
	"net/url"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/api/limit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// call is a request of a caller, for one page or one object, however many attempts it takes.
type call struct {
	path     string
	query    url.Values
	endpoint string // the endpoint's name in package limit
	list     bool   // requests a page rather than an object
	fallback bool   // the caller has a fallback if Stripe fails to serve this
	retries  int    // how often the call is retried before the fallback
	parse    parser
	asOf     time.Time // a time that Stripe's clock had reached when the last request with a response was sent
	// version receives the API version of the response to a request that names none; nil if the request names Options.Version.
	version *string
}

func newCall(path string, query url.Values, parse parser) *call {
	return &call{path: path, query: query, endpoint: limit.Endpoint(path), parse: parse}
}

func (c *call) apply(options []Option) *call {
	for _, option := range options {
		option(c)
	}
	return c
}

// parser parses a response. buf holds [rawjson.Headroom] bytes followed by the body. It may be called again for a later
// attempt, and must not retain any part of buf.
type parser func(cutter *rawjson.Cutter, buf []byte) error

const startingAfter = "starting_after"

// cursor returns the id of the object that the page starts after, or "".
func (c *call) cursor() string { return c.query.Get(startingAfter) }

// expands reports whether the request expands fields of the objects.
func (c *call) expands() bool { return c.query.Has("expand[]") || c.query.Has("expand") }

// Option modifies a request for a page or an object.
type Option func(*call)

// Shrinkable says that the caller can request a smaller page. If Stripe fails to serve the page, so that [IsBroken] reports
// true for the error, it is retried only once, rather than until Retry.Budget is spent.
func Shrinkable(c *call) { c.fallback, c.retries = true, 1 }

// Expendable is like Shrinkable, for a caller that can continue without the page or object. It is retried twice, within 10 s.
func Expendable(c *call) { c.fallback, c.retries = true, 2 }

// Probing is like Shrinkable, for one of many requests that find out what Stripe fails to serve. It isn't retried, so that
// the search ends within seconds.
func Probing(c *call) { c.fallback = true }

// AccountVersion requests in the account's default API version instead of Options.Version, and stores that version, as Stripe's
// answer names it, refusals included (https://docs.stripe.com/api/versioning). It stays empty if there is no answer.
func AccountVersion(version *string) Option {
	return func(c *call) { c.version = version }
}
