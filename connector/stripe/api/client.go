package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
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
	Key       string
	Account   string             // a connected account; empty for the key's own
	Base      string             // empty means DefaultBase
	Transport http.RoundTripper  // from NewTransport; shared by all clients of a process
	Retry     Retry              // the zero value means the defaults
	Limits    *limit.Registry    // shared by all clients of a process; nil means its own
	Observer  connector.Observer // nil means none
	// Now is the local clock; nil means time.Now. It only serves to measure Stripe's, see [Client.Now]. Waits are always
	// measured by time.Now.
	Now func() time.Time

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
	clock   *clock
	scrub   scrubber
	Meter   Meter

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
		clock:    newClock(o.Now),
		scrub:    newScrubber(o.Key),
		account:  limit.AccountOf(o.Key, o.Account, o.Base),
		ceilings: limit.Documented(o.Key).Capped(o.MaxRequestsPerSecond),
	}
	c.limiter().Limit(c.ceilings)
	return c
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

// Synced reports whether an answer has told Stripe's time.
func (c *Client) Synced() bool { return c.clock.isSynced() }

// Page is one answer of a list endpoint.
type Page struct {
	rawjson.List
	AsOf time.Time // Stripe's time when the request was sent: the objects are at least this new
}

// List reads one page of a list endpoint. An error is a *connector.Failure or the context's.
func (c *Client) List(ctx context.Context, path string, query url.Values) (*Page, error) {
	page := &Page{}
	err := c.get(ctx, path, query, func(asOf time.Time, cutter *rawjson.Cutter, led []byte) error {
		page.AsOf = asOf
		return cutter.CutList(&page.List, led)
	})
	return page, err
}

var errNotObject = errors.New("the body is not an object with an id")

// Get reads one object. An error is a *connector.Failure or the context's.
func (c *Client) Get(ctx context.Context, path string, query url.Values) (rawjson.Object, error) {
	var object rawjson.Object
	err := c.get(ctx, path, query, func(_ time.Time, cutter *rawjson.Cutter, led []byte) error {
		compact, err := cutter.Compact(led)
		object = rawjson.CutObject(compact)
		if err == nil && object.ID == "" {
			err = errNotObject
		}
		return err
	})
	return object, err
}

// parser cuts an answer, led as the cutter wants it, to a request that was sent at a time.
type parser func(asOf time.Time, cutter *rawjson.Cutter, led []byte) error

// get hands the body of a good answer to parse, which may be called again for a later attempt and must keep no part of
// the body, only copies.
func (c *Client) get(ctx context.Context, path string, query url.Values, parse parser) error {
	endpoint := limit.Endpoint(path)
	turn, err := c.turn(ctx, endpoint) // a long queue costs nothing of the retries' budget
	if err != nil {
		return err
	}
	attempts := 0
	return c.retry(ctx, endpoint, func() error {
		if attempts++; attempts > 1 {
			if turn, err = c.turn(ctx, endpoint); err != nil {
				return err
			}
		}
		c.Meter.requests.Add(1)
		o := c.observe(endpoint, attempts)
		err := c.attempt(ctx, turn, path, query, o, parse)
		o.end(ctx, err)
		return err
	})
}

// maxBody bounds an answer: a page of Stripe's has some hundred KB.
const maxBody = 64 << 20

// attempt makes one request, which turn lets pass. The turn ends when the answer is read and parsed.
func (c *Client) attempt(
	ctx context.Context, turn limit.Permit, path string, query url.Values, o *observed, parse parser,
) error {
	var status int
	var header http.Header
	defer func() { turn.Release(status, header) }()
	ctx, cancel := context.WithTimeout(ctx, c.options.Retry.attemptTimeout())
	defer cancel()
	req, err := c.request(ctx, path, query)
	if err != nil {
		return err
	}
	sent := c.clock.local()
	res, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer res.Body.Close()
	status, header = res.StatusCode, res.Header
	o.answered(status, header)
	if isStripes(header) {
		c.clock.answered(header, sent, c.clock.local())
	}

	answer, err := bodies.take(ctx, res)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer bodies.give(answer)
	if _, err := answer.ReadFrom(io.LimitReader(res.Body, maxBody+1)); err != nil {
		return c.brokenOff(ctx, res, err)
	}
	if len(answer.body()) > maxBody {
		return c.garbled(res, fmt.Errorf("more than %d bytes", maxBody))
	}
	if res.StatusCode != http.StatusOK {
		return c.refused(res, answer.body())
	}
	err = allCutters.with(func(cutter *rawjson.Cutter) error { return parse(c.clock.stripes(sent), cutter, answer.Bytes()) })
	if err != nil {
		return c.garbled(res, err)
	}
	return nil
}

func (c *Client) request(ctx context.Context, path string, query url.Values) (*http.Request, error) {
	params := &stripe.Params{Context: ctx}
	if c.options.Account != "" {
		params.StripeAccount = stripe.String(c.options.Account)
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	req, err := c.backend.NewRequest(http.MethodGet, path, c.options.Key, "application/x-www-form-urlencoded", params)
	if err != nil {
		return nil, fmt.Errorf("build the request of %s: %s", path, c.scrub.clean(err.Error()))
	}
	req.Header.Del("Content-Type")               // there is no body
	req.Header.Del("X-Stripe-Client-User-Agent") // it would tell this machine's name
	return req, nil
}
