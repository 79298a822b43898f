package stripetest

import (
	"log/slog"
	"time"
)

// APIVersion is the version of Stripe's API that accounts use by default, which is the version that stripe-go v76 pins.
const APIVersion = "2023-10-16"

// Retention is how long Stripe keeps events (https://docs.stripe.com/api/events).
const Retention = 30 * 24 * time.Hour

// Options describe a simulated account. The zero value is a small account of about a thousand objects, created over the
// 365 days before today, that any well-formed key may read. The same options produce byte-identical responses; to keep them
// identical from one day to the next, set Now, or at least End.
type Options struct {
	// Seed determines everything that looks random.
	Seed uint64

	// Objects is the number of objects in each list, by path: {"/v1/charges": 100_000}. For a list below a parent, such as
	// "/v1/invoices/{invoice}/lines", it is the number per parent, at most 64. The path "*" stands for all other lists
	// without a parent.
	Objects map[string]int
	// Scale multiplies the number of objects in every list that is not in Objects and has no parent. 0 means 1.
	Scale float64

	// Start and End bound the creation times of the initial objects: [Start, End). End defaults to the start of the current
	// day in UTC, and Start to 365 days before End.
	Start, End time.Time
	// Density distributes the objects over that time. The default is Even.
	Density Density

	// Now is the clock. It determines when new objects are created, which events are still retained, which objects and events
	// are already visible, and the Date header. The default is time.Now. Latency, hanging and rate limits always use
	// time.Now. To make Stripe's clock differ from the clients', see SetSkew.
	Now func() time.Time

	// Accounts is the number of connected accounts, each with its own data (https://docs.stripe.com/connect). 0 means 3;
	// a negative number means none.
	Accounts int

	// AccountVersion is the account's default API version: that of requests that name none, and of events. The default is
	// APIVersion. See SetAccountVersion.
	AccountVersion string
	// Livemode is the value of the livemode property in Truth. A response shows the mode of the request's key instead.
	Livemode bool
	// Secrets includes the client_secret of payment intents and other objects in responses, as Stripe does. Truth never has it.
	Secrets bool
	// Keys are the accepted API keys. If empty, any well-formed secret or restricted key is accepted. See SetKey.
	Keys map[string]Key
	// TestClocks is the share of customers, from 0 to 1, that belong to a test clock, along with their subscriptions and
	// quotes (https://docs.stripe.com/billing/testing/test-clocks). Lists omit them unless those of one clock are requested.
	TestClocks float64
	// NotEnabled lists the products that the account is not set up for: "issuing" and "treasury". See SetNotEnabled.
	NotEnabled []string

	// EventDelay is the maximum time between the creation of an event and its becoming visible. Each event has its own delay.
	EventDelay time.Duration
	// ObjectDelay is the same for objects created at run time, in lists.
	ObjectDelay time.Duration
	// RetrieveDelay is the same for retrieving such objects by id, which returns 404 until then. See SetDelays.
	RetrieveDelay time.Duration
	// ShuffleTies lists the events of the same second in arbitrary order, as Stripe does, instead of the order of occurrence.
	ShuffleTies bool
	// OldEvents is the share of events, from 0 to 1, whose payload has the shape of OldVersion instead of the account's version.
	OldEvents float64
	// OldVersion is the API version of such events. The default is "2018-02-28". For other shapes, see SetOldEvents.
	OldVersion string

	// Latency, if set, returns how long a response takes. It is called once per request.
	Latency func(path string) time.Duration
	// Limits are Stripe's rate and concurrency limits. They are off by default. See LiveLimits and TestLimits.
	Limits Limits
	// Compact omits the white space that Stripe's responses have.
	Compact bool
	// Gzip compresses responses for clients that accept it.
	Gzip bool

	// Log, if set, receives a line for each request. Keys are not logged.
	Log *slog.Logger
	// Observe, if set, is called after each request. It must be safe for concurrent use.
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
