package stripetest

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

// Stripe is a simulated Stripe: an http.Handler, with the data of the platform's Account embedded. All methods are safe for
// concurrent use.
type Stripe struct {
	*Account
	options  Options
	model    *model    // of APIVersion, with the endpoints of all
	editions []edition // of the API, oldest first
	started  time.Time
	accounts map[string]*Account
	faults   faults
	grants   grants
	// skew is how far the clock is ahead, as a time.Duration.
	skew     atomic.Int64
	limits   limiter
	observer observer

	// lock guards the data of all accounts and the fields below.
	lock   sync.RWMutex
	delays Delays
	// oldShapes holds the payload shapes of other API versions; the last one is in force.
	oldShapes []OldShape
	// versions holds the account's default versions; the last one is in force.
	versions []string
	// closed is closed to end hanging requests.
	closed    chan struct{}
	closeOnce sync.Once
	buffers   sync.Pool
}

// New returns a simulated Stripe with its initial data.
func New(options Options) *Stripe {
	s := &Stripe{options: options.withDefaults(), model: newModel(options.Seed, options.TestClocks), accounts: map[string]*Account{}, closed: make(chan struct{})}
	for _, e := range schema.Editions() {
		s.editions = append(s.editions, edition{e, sync.OnceValue(func() *model { return s.model.in(e) })})
	}
	s.versions = []string{s.options.AccountVersion}
	s.started = s.options.Now()
	s.faults.seed = mix(options.Seed ^ 0xfa17)
	s.limits.limits = s.options.Limits
	s.grants.keys, s.grants.notEnabled = maps.Clone(s.options.Keys), slices.Clone(s.options.NotEnabled)
	s.oldShapes = []OldShape{{Share: s.options.OldEvents, Version: s.options.OldVersion}}
	s.delays = Delays{s.options.EventDelay, s.options.ObjectDelay, s.options.RetrieveDelay}
	s.observer.counts = map[Endpoint]int{}
	s.buffers.New = func() any { return &renderer{} }
	seed := mix(options.Seed ^ saltOf("platform"))
	s.Account = newAccount(s, "acct_1"+string(appendBase62(nil, seed, 15)), seed, max(s.options.Accounts, 0))
	connected := s.stores["account"]
	for ordinal := range connected.initial {
		id := connected.id(ordinal)
		s.accounts[id] = newAccount(s, id, mix(options.Seed^saltOf(id)), 0)
	}
	return s
}

// edition is an edition of the API and its model, which is made on first use.
type edition struct {
	schema.Edition
	model func() *model
}

// Close ends requests that hang because of a fault. It is needed only if the Stripe serves requests.
func (s *Stripe) Close() { s.closeOnce.Do(func() { close(s.closed) }) }

// Connected returns the data of a connected account, or nil if there is no such account.
func (s *Stripe) Connected(id string) *Account { return s.accounts[id] }

// ConnectedAccounts returns the ids of the connected accounts, oldest first.
func (s *Stripe) ConnectedAccounts() []string {
	connected := s.stores["account"]
	ids := make([]string, 0, connected.initial)
	for ordinal := range connected.initial {
		ids = append(ids, connected.id(ordinal))
	}
	return ids
}

func (s *Stripe) renderer(live bool) *renderer {
	r := s.buffers.Get().(*renderer)
	r.buf, r.now, r.live, r.nesting, r.model, r.secrets = r.buf[:0], s.now(), live, 0, s.model, s.options.Secrets
	return r
}

// level returns the indentation level of a response's outermost value: 0, or -1 for responses without white space.
func (s *Stripe) level() int {
	if s.options.Compact {
		return -1
	}
	return 0
}
