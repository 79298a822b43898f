package stripetest

import (
	"log/slog"
	"time"
)

// APIVersion is the version of Stripe's API that is simulated, the one that stripe-go v76 pins.
const APIVersion = "2023-10-16"

// Retention is how long Stripe keeps events (https://docs.stripe.com/api/events).
const Retention = 30 * 24 * time.Hour

// Options describe a simulated account. The zero value is a small account of about a thousand objects, created over the
// 365 days before today, that any well-formed key may read. The same options give byte-identical answers; set Now, or
// at least End, where that must hold from one day to the next.
type Options struct {
	// Seed decides everything that looks random.
	Seed uint64

	// Objects says how many objects a list has, by its path: {"/v1/charges": 100_000}. For a list below a parent, such as
	// "/v1/invoices/{invoice}/lines", it is how many each parent has, at most 64. The path "*" stands for all others that have no parent.
	Objects map[string]int
	// Scale multiplies the number of all objects that Objects does not name and that have no parent. 0 means 1.
	Scale float64

	// Start and End bound the creation of the initial objects: [Start, End). By default End is the beginning of the current
	// day in UTC, and Start 365 days before End.
	Start, End time.Time
	// Density spreads the objects over that time. The default is Even.
	Density Density

	// Now is the clock: it decides when a new object is created, which events are still kept, which objects and events are
	// visible already, and the header Date. The default is time.Now. Latency, hanging and rate limits are measured by time.Now
	// always. See SetSkew for a Stripe whose clock is wrong.
	Now func() time.Time

	// Accounts is the number of connected accounts, each with data of its own (https://docs.stripe.com/connect). 0 means
	// 3, a negative number none.
	Accounts int

	// AccountVersion is the account's default API version, which the answers to requests that name none show in their header;
	// APIVersion by default. The shape of the answers is that of APIVersion in any case.
	AccountVersion string
	// Livemode is what Truth says in the property livemode; an answer says whether the request's key was a live one.
	Livemode bool
	// Keys are the API keys that are accepted. If it is empty, any well-formed secret or restricted key is. See SetKey.
	Keys map[string]Key
	// TestClocks is the share of customers, from 0 to 1, that belong to a test clock, with their subscriptions and quotes
	// (https://docs.stripe.com/billing/testing/test-clocks). Lists hide them unless they are asked for those of one clock.
	TestClocks float64
	// NotEnabled are products that the account is not set up for: "issuing" and "treasury". See SetNotEnabled.
	NotEnabled []string

	// EventDelay is the longest time by which an event becomes visible later than it was created; each event has its own.
	EventDelay time.Duration
	// ObjectDelay is the same for objects that are created at run time, in lists.
	ObjectDelay time.Duration
	// RetrieveDelay is the same for the retrieval of such objects by id, which answers 404 until then. See SetDelays.
	RetrieveDelay time.Duration
	// ShuffleTies lists the events of one second in any order, as Stripe does, instead of the order in which they happened.
	ShuffleTies bool
	// OldEvents is the share of events, from 0 to 1, whose payload is in the shape of OldVersion instead of APIVersion.
	OldEvents float64
	// OldVersion is the API version of such events; "2018-02-28" by default. See SetOldEvents for other shapes.
	OldVersion string

	// Latency, where set, is how long an answer takes. It is called once per request.
	Latency func(path string) time.Duration
	// Limits are Stripe's limits of rate and concurrency, off by default. See LiveLimits and TestLimits.
	Limits Limits
	// Compact omits the white space that Stripe's responses have.
	Compact bool
	// Gzip compresses answers for clients that accept it.
	Gzip bool

	// Log, where set, gets a line for each request. Keys are not logged.
	Log *slog.Logger
	// Observe, where set, is called after each request. It must be safe for concurrent use.
	Observe func(Request)
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.End.IsZero() {
		o.End = o.Now().UTC().Truncate(24 * time.Hour)
	}
	if o.Start.IsZero() {
		o.Start = o.End.Add(-365 * 24 * time.Hour)
	}
	if o.Scale == 0 {
		o.Scale = 1
	}
	if o.Accounts == 0 {
		o.Accounts = 3
	}
	if o.Density == nil {
		o.Density = Even
	}
	if o.AccountVersion == "" {
		o.AccountVersion = APIVersion
	}
	if o.OldVersion == "" {
		o.OldVersion = "2018-02-28"
	}
	return o
}
