package stripe

import (
	"net/http"
	"sync"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api/limit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/backfill"
	"github.com/stripe-connector/stripe-connector/connector/stripe/config"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// Options configure a Source. The zero value is ready to use.
type Options struct {
	// AllowedAPIBases lists the addresses, besides Stripe's own, that a configuration may set as api_base.
	// Configurations arrive over the network and must not be able to send the API key to an arbitrary host.
	AllowedAPIBases []string
	// Transport carries the requests of all calls; nil means api.NewTransport.
	Transport http.RoundTripper
	// Retry configures how requests are retried; zero fields mean the defaults.
	Retry api.Retry
	// Observer is notified of every request to Stripe; nil means no observer.
	Observer connector.Observer
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// PageSize is the number of objects to request per page. Zero means 100, the maximum that Stripe allows; tests
	// use less.
	PageSize int
	// Heartbeat is the longest time a Read goes without sending a message; zero means 2 seconds.
	Heartbeat time.Duration
}

// Source reads Stripe accounts. Between calls it keeps connections, rate limits and clock offsets, but no data.
type Source struct {
	options Options
	tables  map[string]table.Table // the streams, by the version of the edition
	permits backfill.Permits
	limits  *limit.Registry

	mu     sync.Mutex
	clocks map[string]*api.Clock // by address of the API
}

var (
	_ connector.Source = (*Source)(nil)
	_ connector.Paced  = (*Source)(nil)
)

// New returns a Source.
func New(o Options) *Source {
	if o.Transport == nil {
		o.Transport = api.NewTransport()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.PageSize == 0 {
		o.PageSize = 100
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = 2 * time.Second
	}
	tables := map[string]table.Table{}
	for _, e := range schema.Editions() {
		tables[e.Version] = table.Streams(e)
	}
	return &Source{options: o, tables: tables, permits: backfill.NewPermits(), limits: limit.NewRegistry(), clocks: map[string]*api.Clock{}}
}

// Pace returns the current rate of requests to Stripe.
func (s *Source) Pace() connector.Pace { return s.limits.Pace() }

// parse parses a configuration. The error is a *connector.Failure with one violation for each invalid field.
func (s *Source) parse(raw connector.Config) (config.Config, error) {
	return config.Parse(raw, s.options.AllowedAPIBases, s.options.Now())
}

// client returns an API client for the account that c configures.
func (s *Source) client(c config.Config, retry api.Retry) *api.Client {
	return api.New(api.Options{
		Key:       c.APIKey,
		Account:   c.Account,
		Base:      c.APIBase,
		Version:   c.APIVersion,
		Transport: api.ReadOnly(s.options.Transport),
		Retry:     retry,
		Limits:    s.limits,
		Observer:  s.options.Observer,
		Now:       s.options.Now,
		Clock:     s.clock(c.APIBase),

		MaxRequestsPerSecond: c.MaxRate,
	})
}

// clock returns the Clock for an API address. The map stays small because the operator allows each address.
func (s *Source) clock(base string) *api.Clock {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clocks[base] == nil {
		s.clocks[base] = api.NewClock(s.options.Now)
	}
	return s.clocks[base]
}
