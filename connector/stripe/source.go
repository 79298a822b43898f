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
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// Options are the operator's choices. The zero value works.
type Options struct {
	// AllowedAPIBases are the addresses besides Stripe's own that a configuration's api_base may name: a configuration
	// that arrives over the network must not be able to send the key elsewhere.
	AllowedAPIBases []string
	// Transport is shared by all calls; nil means api.NewTransport.
	Transport http.RoundTripper
	// Retry says how patiently requests are made again; the zero value means the defaults.
	Retry api.Retry
	// Observer observes the requests to Stripe; nil means none.
	Observer connector.Observer
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// PageSize is how many objects a page has at most; zero means 100, the most that Stripe allows. Less is for tests.
	PageSize int
	// Heartbeat is the longest silence of a Read; zero means 2 seconds.
	Heartbeat time.Duration
}

// Source reads Stripe accounts. It keeps connections between calls, and nothing else.
type Source struct {
	options Options
	streams table.Table
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
	return &Source{options: o, streams: table.Streams(), permits: backfill.NewPermits(), limits: limit.NewRegistry(), clocks: map[string]*api.Clock{}}
}

// Pace returns the rate at which Stripe is asked at present.
func (s *Source) Pace() connector.Pace { return s.limits.Pace() }

// parse reads a configuration. The error is a *connector.Failure that names every wrong field.
func (s *Source) parse(raw connector.Config) (config.Config, error) {
	return config.Parse(raw, s.options.AllowedAPIBases, s.options.Now())
}

// client returns the edge to the account of a configuration.
func (s *Source) client(c config.Config, retry api.Retry) *api.Client {
	return api.New(api.Options{
		Key:       c.APIKey,
		Account:   c.Account,
		Base:      c.APIBase,
		Transport: api.ReadOnly(s.options.Transport),
		Retry:     retry,
		Limits:    s.limits,
		Observer:  s.options.Observer,
		Now:       s.options.Now,
		Clock:     s.clock(c.APIBase),

		MaxRequestsPerSecond: c.MaxRate,
	})
}

// clock returns what is known of the clock at an address of the API. There are few: the operator allows them.
func (s *Source) clock(base string) *api.Clock {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clocks[base] == nil {
		s.clocks[base] = api.NewClock(s.options.Now)
	}
	return s.clocks[base]
}
