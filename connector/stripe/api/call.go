package api

import (
	"net/url"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/api/limit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// call is what a caller asks for: one page or one object, however many requests that takes.
type call struct {
	path     string
	query    url.Values
	endpoint string // as package limit names it
	list     bool   // a page, not an object
	wayOut   bool   // the caller knows what to do if Stripe fails to serve this
	parse    parser
}

func newCall(path string, query url.Values, parse parser) *call {
	return &call{path: path, query: query, endpoint: limit.Endpoint(path), parse: parse}
}

func (c *call) with(options []Option) *call {
	for _, option := range options {
		option(c)
	}
	return c
}

// parser cuts an answer, led as the cutter wants it, to a request that was sent at a time. It may be called again for a
// later attempt, and must keep no part of the answer, only copies.
type parser func(asOf time.Time, cutter *rawjson.Cutter, led []byte) error

const startingAfter = "starting_after"

// cursor returns the id of the object that the page begins behind, or "".
func (c *call) cursor() string { return c.query.Get(startingAfter) }

// expands reports whether more is asked for than the objects themselves.
func (c *call) expands() bool { return c.query.Has("expand[]") || c.query.Has("expand") }

// Option changes how a page or an object is asked for.
type Option func(*call)

// Shrinkable says that the caller can ask for a smaller page. If Stripe fails to serve this one, which [IsBroken] then
// reports of the error, it is retried twice within 10 s, and not until Retry.Budget is spent.
func Shrinkable(c *call) { c.wayOut = true }

// Expendable says the same of a caller that can do without the object, or without the page, for now.
func Expendable(c *call) { c.wayOut = true }
