package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	stripe "github.com/stripe/stripe-go/v76"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api/limit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// DefaultVersion is the API version of the requests of a Client without Options.Version, the one that stripe-go v76 pins.
const DefaultVersion = stripe.APIVersion

// DefaultBase is the address of Stripe's API.
const DefaultBase = stripe.APIURL

// Options configure a Client.
type Options struct {
	Key       connector.Secret
	Account   string             // connected account; empty for the key's own account
	Base      string             // empty means DefaultBase
	Version   string             // the API version of every request; empty means DefaultVersion
	Transport http.RoundTripper  // from NewTransport; shared by all clients of the process
	Retry     Retry              // zero fields mean the defaults
	Limits    *limit.Registry    // shared by all clients of the process; nil means a registry of its own
	Observer  connector.Observer // nil means none
	// Now is the local clock; nil means time.Now. It is only used to derive Stripe's time, see [Client.Now]. Waits always
	// use time.Now.
	Now func() time.Time
	// Clock holds what is known about Stripe's clock; nil means nothing yet.
	Clock *Clock

	// MaxRequestsPerSecond limits the request rate of this Client and of those of the same account and limit, which share it.
	// Other Clients of the account aren't held to it. A value above the documented limits
	// (https://docs.stripe.com/rate-limits) means that Stripe raised them for the account. 0 means the documented limits.
	MaxRequestsPerSecond float64
}

// Client reads one account. It is safe for concurrent use.
type Client struct {
	backend *stripe.BackendImplementation // builds requests and decodes errors
	http    *http.Client
	options Options
	host    string // for messages to users
	clock   *Clock
	scrub   scrubber
	Meter   Meter
	outage  outage
	reached atomic.Bool // Stripe has responded

	account  limit.Account // account whose rate is shared
	ceilings limit.Ceilings
	cap      float64 // requests per second of its own, below the account's; 0 for none
}

// New returns a Client.
func New(o Options) *Client {
	if o.Base == "" {
		o.Base = DefaultBase
	}
	if o.Version == "" {
		o.Version = DefaultVersion
	}
	if o.Limits == nil {
		o.Limits = limit.NewRegistry()
	}
	if o.Observer == nil {
		o.Observer = noObserver{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Clock == nil {
		o.Clock = NewClock(o.Now)
	}
	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		URL:               stripe.String(o.Base),
		HTTPClient:        &http.Client{},
		LeveledLogger:     &stripe.LeveledLogger{Level: stripe.LevelNull},
		MaxNetworkRetries: stripe.Int64(0),
		EnableTelemetry:   stripe.Bool(false),
	})
	c := &Client{
		backend: backend.(*stripe.BackendImplementation),
		http: &http.Client{
			Transport: o.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return http.ErrUseLastResponse // Stripe doesn't redirect, and the key must not be sent elsewhere
			},
		},
		options:  o,
		host:     hostOf(o.Base),
		clock:    o.Clock,
		scrub:    newScrubber(o.Key),
		account:  limit.AccountOf(o.Key.Reveal(), o.Account, o.Base),
		ceilings: limit.Documented(o.Key.Reveal()),
	}
	if o.MaxRequestsPerSecond > c.ceilings.Account {
		c.ceilings = c.ceilings.Capped(o.MaxRequestsPerSecond)
	} else {
		c.cap = o.MaxRequestsPerSecond
	}
	c.limiter().Raise(c.ceilings)
	return c
}

// hostOf returns the host of a base address, for messages to users.
func hostOf(base string) string {
	if u, err := url.Parse(base); err == nil && u.Host != "" {
		return u.Host
	}
	return "api_base"
}

// limiter returns the Limiter of the account.
func (c *Client) limiter() *limit.Limiter { return c.options.Limits.Of(c.account, c.ceilings) }

// Workers returns how many requests in flight to the endpoint of a path it takes to use its rate, at its present
// latency: 1 to 64. More would only wait.
func (c *Client) Workers(path string) int {
	workers := c.limiter().WorkersOf(limit.Endpoint(path))
	if c.cap > 0 {
		workers = min(workers, c.options.Limits.Cap(c.account, c.cap).Workers())
	}
	return workers
}

// AllWorkers returns how many requests in flight, to any endpoints, it takes to use the rate of the account: 1 to 64.
func (c *Client) AllWorkers() int {
	workers := c.limiter().Workers()
	if c.cap > 0 {
		workers = min(workers, c.options.Limits.Cap(c.account, c.cap).Workers())
	}
	return workers
}

// Now returns Stripe's time, derived from the Date headers of its responses, including error responses. Before the first
// response it returns the local time.
//
// It is accurate to 1 s plus half a round trip: Date has whole seconds, and was written at some point between the request
// and the response. More responses narrow this down. If the local clock is within these bounds, it is used as is.
func (c *Client) Now() time.Time { return c.clock.stripeTime(c.clock.local()) }

// AsOf returns a time that Stripe's clock has reached for certain, so that an object requested now is at least this recent. The
// times of one Client keep their order. Before the first response AsOf returns the local time, like Now.
func (c *Client) AsOf() time.Time { return c.asOf(c.clock.local(), time.Time{}) }

// asOf returns a time that Stripe's clock had reached at a local time, by what is known now and the time known then, zero if none was.
func (c *Client) asOf(local, known time.Time) time.Time {
	switch reached := c.clock.earliest(local); {
	case reached.After(known):
		return reached
	case known.IsZero():
		return local // no response has shown Stripe's time
	}
	return known
}

// Skew returns how far the local clock is ahead of Stripe's, with the accuracy of [Client.Now]. It is negative if the local
// clock is behind, and zero before the first response.
func (c *Client) Skew() time.Duration { return c.options.Now().Round(0).Sub(c.Now().Round(0)) }

// IsSynced reports whether Stripe's time is known from a response.
func (c *Client) IsSynced() bool { return c.clock.isSynced() }

// Page is a response of a list endpoint.
type Page struct {
	rawjson.List
	AsOf time.Time // the objects are at least this recent: a time that Stripe's clock had reached when the request was sent
}

// Object is a response with one object.
type Object struct {
	rawjson.Object
	AsOf time.Time // as in Page; also set if Stripe has no such object
}

// List reads one page of a list endpoint. The error is a *connector.Failure or a context error.
func (c *Client) List(ctx context.Context, path string, query url.Values, options ...Option) (*Page, error) {
	page := &Page{}
	call := newCall(path, query, func(cutter *rawjson.Cutter, buf []byte) error { return cutter.CutList(&page.List, buf) })
	call.list = true
	err := c.get(ctx, call.apply(options))
	page.AsOf = call.asOf
	return page, err
}

// Single reads an endpoint that returns one object, which may have no id, as a page that holds it. The error is a
// *connector.Failure or a context error.
func (c *Client) Single(ctx context.Context, path string, query url.Values, options ...Option) (*Page, error) {
	page := &Page{}
	call := newCall(path, query, func(cutter *rawjson.Cutter, led []byte) error {
		compact, err := cutter.Compact(led)
		object := rawjson.CutObject(compact)
		if err == nil && object.Type == "" {
			err = errNoType
		}
		page.Objects = []rawjson.Object{object}
		return err
	})
	err := c.get(ctx, call.apply(options))
	page.AsOf = call.asOf
	return page, err
}

var errNoType = errors.New("the body is not an object with a type")

var errNotObject = errors.New("the body is not an object with an id")

// Get reads one object. The error is a *connector.Failure or a context error.
func (c *Client) Get(ctx context.Context, path string, query url.Values, options ...Option) (Object, error) {
	var object Object
	call := newCall(path, query, func(cutter *rawjson.Cutter, buf []byte) error {
		compact, err := cutter.Compact(buf)
		object.Object = rawjson.CutObject(compact)
		if err == nil && object.ID == "" {
			err = errNotObject
		}
		return err
	})
	err := c.get(ctx, call.apply(options))
	object.AsOf = call.asOf
	return object, err
}
