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

// Version is the API version of every request, the one that stripe-go v76 pins.
const Version = stripe.APIVersion

// DefaultBase is where Stripe's API lives.
const DefaultBase = stripe.APIURL

// Options say whose data a Client reads, and how patiently.
type Options struct {
	Key       connector.Secret
	Account   string             // a connected account; empty for the key's own
	Base      string             // empty means DefaultBase
	Transport http.RoundTripper  // from NewTransport; shared by all clients of a process
	Retry     Retry              // the zero value means the defaults
	Limits    *limit.Registry    // shared by all clients of a process; nil means its own
	Observer  connector.Observer // nil means none
	// Now is the local clock; nil means time.Now. It only serves to measure Stripe's, see [Client.Now]. Waits are always
	// measured by time.Now.
	Now func() time.Time
	// Clock is what is known of Stripe's clock; nil means nothing yet.
	Clock *Clock

	// MaxRequestsPerSecond caps the rate of the account. Its Clients share that rate; the cap of the last Client made
	// holds. More than Stripe documents (https://docs.stripe.com/rate-limits) means that it raised the account's limits.
	// 0 means the documented limits.
	MaxRequestsPerSecond float64
}

// Client reads one account. It may be used from many goroutines.
type Client struct {
	backend *stripe.BackendImplementation // builds requests and decodes errors
	http    *http.Client
	options Options
	host    string // to name to users
	clock   *Clock
	scrub   scrubber
	Meter   Meter
	outage  outage
	met     atomic.Bool // Stripe has answered

	account  limit.Account // whose rate it shares
	ceilings limit.Ceilings
}

// New makes a Client.
func New(o Options) *Client {
	if o.Base == "" {
		o.Base = DefaultBase
	}
	if o.Limits == nil {
		o.Limits = limit.NewRegistry()
	}
	if o.Observer == nil {
		o.Observer = nobody{}
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
				return http.ErrUseLastResponse // Stripe redirects nothing; the key must not travel
			},
		},
		options:  o,
		host:     hostOf(o.Base),
		clock:    o.Clock,
		scrub:    newScrubber(o.Key),
		account:  limit.AccountOf(o.Key.Reveal(), o.Account, o.Base),
		ceilings: limit.Documented(o.Key.Reveal()).Capped(o.MaxRequestsPerSecond),
	}
	c.limiter().Limit(c.ceilings)
	return c
}

// hostOf returns the host of a base address, to name it to users.
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
func (c *Client) Workers(path string) int { return c.limiter().WorkersOf(limit.Endpoint(path)) }

// AllWorkers returns how many requests in flight, to any endpoints, it takes to use the rate of the account: 1 to 64.
func (c *Client) AllWorkers() int { return c.limiter().Workers() }

// Now returns the time at Stripe, by the Date header of its answers, refusals included. Before the first answer it is the
// local time.
//
// It is right to within 1 s and half a round trip: Date has whole seconds, and was written sometime between a request and
// its answer. Further answers narrow that down. A local clock that is right within these bounds is taken at its word.
func (c *Client) Now() time.Time { return c.clock.stripes(c.clock.local()) }

// Skew returns by how much the local clock is ahead of Stripe's, as precisely as [Client.Now]; less than zero if it is
// behind, and zero before the first answer.
func (c *Client) Skew() time.Duration { return c.options.Now().Round(0).Sub(c.Now().Round(0)) }

// IsSynced reports whether an answer has told Stripe's time.
func (c *Client) IsSynced() bool { return c.clock.isSynced() }

// Page is one answer of a list endpoint.
type Page struct {
	rawjson.List
	AsOf time.Time // Stripe's time when the request was sent: the objects are at least this new
}

// List reads one page of a list endpoint. An error is a *connector.Failure or the context's.
func (c *Client) List(ctx context.Context, path string, query url.Values, options ...Option) (*Page, error) {
	page := &Page{}
	call := newCall(path, query, func(asOf time.Time, cutter *rawjson.Cutter, led []byte) error {
		page.AsOf = asOf
		return cutter.CutList(&page.List, led)
	})
	call.list = true
	return page, c.get(ctx, call.with(options))
}

var errNotObject = errors.New("the body is not an object with an id")

// Get reads one object. An error is a *connector.Failure or the context's.
func (c *Client) Get(ctx context.Context, path string, query url.Values, options ...Option) (rawjson.Object, error) {
	var object rawjson.Object
	call := newCall(path, query, func(_ time.Time, cutter *rawjson.Cutter, led []byte) error {
		compact, err := cutter.Compact(led)
		object = rawjson.CutObject(compact)
		if err == nil && object.ID == "" {
			err = errNotObject
		}
		return err
	})
	err := c.get(ctx, call.with(options))
	return object, err
}
