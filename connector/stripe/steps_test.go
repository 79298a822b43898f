package stripe_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// history is a sequence of events at Stripe and of Reads.
type history struct {
	seed                    uint64
	pool                    []string // streams whose objects exist
	selected                []string // streams that are read from the start
	eventDelay, objectDelay time.Duration
	shuffle                 bool
	oldEvents               float64
	updateMode              string
	pageSize                int
	version, accountVersion string        // of the API: the pipeline's, and the account's default; empty for the oldest
	connected               bool          // reads a connected account
	columns                 bool          // selects the columns of onRequest
	skew                    time.Duration // how far the local clock is ahead of Stripe's
	steps                   []step
}

// GoString describes a history in short lines.
func (h history) GoString() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, events up to %v late, objects %v, shuffled ties: %v, old events: %v, update mode %s, pages of %d, connected: %v, columns on request: %v, local clock ahead by %v, version %s, the account's %s\n\tselect %s",
		h.seed, h.eventDelay, h.objectDelay, h.shuffle, h.oldEvents, h.updateMode, h.pageSize, h.connected, h.columns, h.skew, h.version, h.accountVersion, strings.Join(h.selected, " "))
	for _, s := range h.steps {
		b.WriteString("\n\t" + s.String())
	}
	return b.String()
}

// step is one step of a history.
type step struct {
	verb      verb
	stream    string
	n         int // index of the object, or of its parent
	wait      time.Duration
	disturbed disturbance
	during    []during
}

type verb int

const (
	update verb = iota
	create
	remove
	wait
	sync_
	check
	choose
	ruin    // makes an object unreadable
	repair  // makes all objects readable
	forbid  // the key loses the permission to read a stream
	permit  // the key regains all permissions
	mangle  // an object changes, but its event has a broken payload
	noise   // an event without information
	turn    // the local clock jumps to be ahead by wait
	adopt   // the pipeline reads another API version
	upgrade // the account's default API version becomes another
)

// during is a step that happens after a number of requests of a Read.
type during struct {
	request int
	step    step
}

func (s step) String() string {
	switch s.verb {
	case update, create, remove:
		return fmt.Sprintf("%s %s %d", [...]string{"update", "create", "delete"}[s.verb], s.stream, s.n)
	case wait:
		return "wait " + s.wait.String()
	case check:
		return "check"
	case choose:
		return "select " + s.stream
	case ruin:
		return fmt.Sprintf("ruin %s %d", s.stream, s.n)
	case repair:
		return "repair all"
	case forbid:
		return "forbid " + s.stream
	case permit:
		return "permit all"
	case mangle, noise:
		return fmt.Sprintf("%s %s %d", map[verb]string{mangle: "mangle", noise: "noise about"}[s.verb], s.stream, s.n)
	case adopt:
		return "read in version " + s.stream
	case upgrade:
		return "upgrade the account to " + s.stream
	case turn:
		return "set the local clock ahead by " + s.wait.String()
	case sync_:
	}
	text := "read" + s.disturbed.String()
	for _, d := range s.during {
		text += fmt.Sprintf(", %v after request %d", d.step, d.request)
	}
	return text
}

func (d disturbance) String() string {
	text := ""
	if d.kill >= 0 {
		text += fmt.Sprintf(", %s at message %d", map[bool]string{true: "drain", false: "kill"}[d.drain], d.kill)
	}
	if d.lost > 0 {
		text += fmt.Sprintf(", lose %d", d.lost)
	}
	if d.limit > 0 {
		text += fmt.Sprintf(", limit %d", d.limit)
	}
	if d.follow > 0 {
		text += fmt.Sprintf(", follow for %d requests", d.follow)
	}
	if d.fault.Times > 0 {
		text += fmt.Sprintf(", fault %d after %d, %d times within %v", d.fault.Kind, d.fault.Skip, d.fault.Times, d.retries.Budget)
	}
	return text
}

// related groups streams whose changes affect each other.
var related = [][]string{
	{"charges", "refunds", "disputes"},
	{"customers", "cards", "bank_accounts", "customer_tax_ids", "customer_payment_methods", "customer_balance_transactions", "customer_cash_balance_transactions"},
	{"invoices", "invoice_line_items", "invoice_items"},
	{"subscriptions", "subscription_items", "customers"},
	{"plans", "coupons", "products", "prices", "promotion_codes"},
	{"transfers", "transfer_reversals"},
	{"application_fees", "application_fee_refunds"},
	{"balance_transactions"},
	{"checkout_sessions", "checkout_session_line_items", "files"},
	{"setup_intents", "setup_attempts"},
	{"financial_connections_accounts", "financial_connections_account_owners", "financial_connections_transactions"},
	{"credit_notes", "credit_note_line_items"},
	{"quotes", "quote_line_items", "quote_computed_upfront_line_items"},
	{"payment_links", "payment_link_line_items"},
	{"radar_value_lists", "radar_value_list_items", "shipping_rates"},
	{"issuing_cards", "issuing_tokens", "issuing_authorizations"},
	{"issuing_cardholders", "issuing_disputes", "issuing_personalization_designs", "issuing_physical_bundles", "issuing_settlements", "issuing_transactions"},
	{"payment_intents", "topups", "reviews"},
	{"payouts", "payout_transactions", "balance_transactions"},
	{"account", "balance", "tax_settings"},
	{"customers", "customer_cash_balances", "customer_discounts", "customer_cash_balance_transactions"},
	{"customers", "subscriptions", "subscription_discounts", "customer_discounts", "invoices", "invoice_discounts"},
	{"test_helpers_test_clocks", "customers", "subscriptions", "quotes"},
	{"identity_verification_sessions", "identity_verification_reports", "reporting_report_runs", "reporting_report_types"},
	{"test_helpers_test_clocks", "tax_rates", "subscription_schedules"},
	{"treasury_financial_accounts", "treasury_inbound_transfers", "treasury_transactions", "treasury_transaction_entries"},
	{
		"treasury_financial_accounts", "treasury_credit_reversals", "treasury_debit_reversals", "treasury_outbound_payments",
		"treasury_outbound_transfers", "treasury_received_credits", "treasury_received_debits",
	},
	{"accounts", "capabilities", "external_account_bank_accounts", "external_account_cards", "persons"},
	{"billing_meters", "customers", "billing_meter_event_summaries"},
	{"entitlements_features", "customers", "entitlements_active_entitlements"},
	{"subscriptions", "subscription_items", "usage_record_summaries"},
	{"sources", "source_transactions", "payment_methods", "payment_method_configurations", "payment_method_domains", "apple_pay_domains"},
	{"climate_orders", "climate_products", "climate_suppliers", "apps_secrets", "webhook_endpoints"},
	{"terminal_configurations", "terminal_locations", "terminal_readers"},
	{"tax_codes", "tax_ids", "tax_registrations", "country_specs", "exchange_rates"},
	{"billing_portal_configurations", "file_links", "forwarding_requests", "radar_early_fraud_warnings", "sigma_scheduled_query_runs"},
}

// onRequest are columns that Stripe shows only if they are expanded: of objects that are listed, of children that are embedded,
// and of children whose columns are too deep in their parents to be asked for there.
var onRequest = map[string][]string{
	"charges":                       {"refunds"},
	"customers":                     {"cash_balance", "sources", "subscriptions", "tax", "tax_ids"},
	"subscription_items":            {"price.tiers"},
	"checkout_session_line_items":   {"taxes"},
	"invoice_line_items":            {"price.tiers"},
	"credit_notes":                  {"shipping_cost.taxes"},
	"promotion_codes":               {"coupon.applies_to"},
	"treasury_financial_accounts":   {"features"},
	"issuing_transactions":          {"purchase_details"},
	"quotes":                        {"total_details.breakdown"},
	"billing_portal_configurations": {"features.subscription_update.products"},
}

// deletable are the streams whose objects Stripe deletes. Subscriptions are canceled instead.
var deletable = []string{
	"apple_pay_domains", "bank_accounts", "cards", "coupons", "customer_discounts", "customer_payment_methods", "customer_tax_ids", "customers",
	"external_account_bank_accounts", "external_account_cards", "invoice_discounts", "invoice_items", "invoice_line_items", "invoices", "persons", "plans",
	"prices", "products", "radar_value_list_items", "radar_value_lists", "sources", "subscription_discounts", "subscription_items", "subscriptions", "tax_ids",
	"terminal_configurations", "terminal_locations", "terminal_readers", "test_helpers_test_clocks", "webhook_endpoints",
}

// immutable are the streams whose objects never change, as far as Stripe reports.
var immutable = []string{
	"billing_credit_balance_transactions", "capabilities", "events", "files", "forwarding_requests", "identity_verification_reports", "payout_transactions",
	"sigma_scheduled_query_runs",
	"treasury_received_debits",
}

// notCreatable are the streams whose objects come with other objects or exist from the start.
var notCreatable = []string{
	"account", "accounts", "balance", "balance_settings", "billing_meter_event_summaries", "capabilities", "climate_products", "climate_suppliers", "country_specs",
	"customer_cash_balances", "events", "exchange_rates", "payout_transactions", "reporting_report_types", "tax_codes", "tax_settings",
	"treasury_transaction_entries",
}

// needed are lists that streams refer to.
var needed = map[string]string{
	"refunds": "/v1/charges", "disputes": "/v1/charges", "subscription_items": "/v1/subscriptions", "subscriptions": "/v1/customers",
	"promotion_codes": "/v1/coupons", "prices": "/v1/products", "issuing_tokens": "/v1/issuing/cards",
}

// objects returns the initial number of objects in each list.
func (h history) objects(streams map[string]connector.Stream) map[string]int {
	objects := map[string]int{"*": 0}
	for _, name := range h.pool {
		for stream := streams[name]; stream.Name != "events"; stream = streams[stream.Parent] {
			if needed[stream.Name] != "" {
				objects[needed[stream.Name]] = 3
			}
			if stream.Parent == "" {
				_, path := path(stream)
				objects[path] = 3
				break
			}
		}
	}
	return objects
}

// testClocks is the share of customers that belong to a test clock.
func (h history) testClocks() float64 {
	if slices.Contains(h.pool, "test_helpers_test_clocks") {
		return 0.5
	}
	return 0
}

// accounts returns the number of connected accounts.
func (h history) accounts() int {
	if h.connected || slices.Contains(h.pool, "accounts") {
		return 2
	}
	return -1
}

// histories generates random histories.
func histories(streams map[string]connector.Stream) *rapid.Generator[history] {
	return rapid.Custom(func(t *rapid.T) history {
		h := history{
			seed:        rapid.Uint64Range(1, 20).Draw(t, "seed"),
			eventDelay:  rapid.SampledFrom([]time.Duration{0, 0, time.Second, 5 * time.Second, 40 * time.Second, 200 * time.Second}).Draw(t, "event delay"),
			objectDelay: rapid.SampledFrom([]time.Duration{0, 0, 0, 2 * time.Second, 20 * time.Second, 250 * time.Second}).Draw(t, "object delay"),
			shuffle:     rapid.Bool().Draw(t, "shuffle"),
			oldEvents:   rapid.SampledFrom([]float64{0, 0, 0.3, 1}).Draw(t, "old events"),
			updateMode:  rapid.SampledFrom([]string{"auto", "auto", "auto", "reread"}).Draw(t, "update mode"),
			pageSize:    rapid.SampledFrom([]int{100, 1, 3}).Draw(t, "page size"),
		}
		for range rapid.IntRange(1, 3).Draw(t, "kinds") {
			h.pool = append(h.pool, rapid.SampledFrom(related).Draw(t, "related")...)
		}
		if rapid.IntRange(0, 3).Draw(t, "events") == 3 {
			h.pool = append(h.pool, "events")
		}
		slices.Sort(h.pool)
		h.pool = slices.Compact(h.pool)
		h.connected = !slices.Contains(h.pool, "accounts") && rapid.IntRange(0, 5).Draw(t, "connected") == 5
		h.skew = skews.Draw(t, "skew")
		h.columns = rapid.IntRange(0, 2).Draw(t, "columns") == 2
		h.selected = rapid.SliceOfNDistinct(rapid.SampledFrom(h.pool), 1, len(h.pool), rapid.ID).Draw(t, "selected")
		slices.Sort(h.selected)
		h.steps = rapid.SliceOfN(h.stepGenerator(), 1, 25).Draw(t, "steps")
		return h
	})
}

func (h history) stepGenerator() *rapid.Generator[step] {
	changing := h.changeGenerator()
	verbs := []verb{update, create, remove, update, create, remove, wait, wait, sync_, sync_, sync_, check, choose, turn}
	return rapid.Custom(func(t *rapid.T) step {
		s := step{verb: rapid.SampledFrom(verbs).Draw(t, "verb")}
		switch s.verb {
		case update, create, remove:
			return changing.Draw(t, "change")
		case wait:
			s.wait = rapid.SampledFrom([]time.Duration{
				time.Second, time.Second, 3 * time.Second, 8 * time.Second, time.Minute, 5 * time.Minute, time.Hour, 80 * time.Hour, 31 * 24 * time.Hour,
			}).Draw(t, "wait")
		case choose:
			s.stream = rapid.SampledFrom(h.pool).Draw(t, "stream")
		case sync_:
			s.disturbed = upsets.Draw(t, "disturbance")
			maximum := max(12, s.disturbed.follow)
			s.during = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) during {
				return during{request: rapid.IntRange(1, maximum).Draw(t, "request"), step: changing.Draw(t, "change")}
			}), 0, 4).Draw(t, "during")
		case turn:
			s.wait = skews.Draw(t, "skew")
		case check, ruin, repair, forbid, permit, mangle, noise, adopt, upgrade:
		}
		return s
	})
}

// possible returns the verbs that apply to the objects of a stream.
func possible(stream string) []verb {
	var verbs []verb
	if !slices.Contains(notCreatable, stream) {
		verbs = append(verbs, create)
	}
	if !slices.Contains(immutable, stream) {
		verbs = append(verbs, update)
	}
	if slices.Contains(deletable, stream) {
		verbs = append(verbs, remove)
	}
	return verbs
}

// changeGenerator generates possible changes and short waits.
func (h history) changeGenerator() *rapid.Generator[step] {
	var all []step
	for _, name := range h.pool {
		for _, verb := range possible(name) {
			all = append(all, step{verb: verb, stream: name})
		}
	}
	for _, name := range h.pool {
		if embedded[name] != "" {
			all = append(all, step{verb: mangle, stream: name})
		}
		if possible(name) != nil {
			all = append(all, step{verb: noise, stream: name})
		}
	}
	if len(all) == 0 {
		all = append(all, step{verb: wait})
	}
	return rapid.Custom(func(t *rapid.T) step {
		s := rapid.SampledFrom(all).Draw(t, "change")
		s.n = rapid.IntRange(0, 4).Draw(t, "n")
		if rapid.IntRange(0, 19).Draw(t, "turn") == 19 {
			return step{verb: turn, wait: skews.Draw(t, "skew")}
		}
		if rapid.IntRange(0, 5).Draw(t, "pause") == 5 {
			return step{verb: wait, wait: rapid.SampledFrom([]time.Duration{time.Second, 2 * time.Second, 10 * time.Second}).Draw(t, "wait")}
		}
		return s
	})
}

// skews are how far the local clock may be ahead of Stripe's; most of the time it is correct.
var skews = rapid.SampledFrom([]time.Duration{0, 0, 0, 0, 90 * time.Second, 10 * time.Minute, 3 * time.Hour, 26 * time.Hour, -90 * time.Second, -10 * time.Minute, -3 * time.Hour, -26 * time.Hour})

// embedded are the lists embedded in the objects of some streams; updated are the types of events about changes of these
// objects.
var (
	embedded = map[string]string{"invoices": "lines", "subscriptions": "items", "credit_notes": "lines", "transfers": "reversals"}
	updated  = map[string]string{
		"invoices": "invoice.updated", "subscriptions": "customer.subscription.updated", "credit_notes": "credit_note.updated", "transfers": "transfer.updated",
	}
)

// upsets generates what happens to the Reads of a history, which is often nothing.
var upsets = rapid.Custom(func(t *rapid.T) disturbance {
	d := quiet
	switch rapid.IntRange(0, 6).Draw(t, "upset") {
	case 0, 1:
	case 2:
		d.kill = rapid.IntRange(0, 30).Draw(t, "kill")
		d.cancel = rapid.Bool().Draw(t, "cancel")
		d.lost = rapid.IntRange(0, 5).Draw(t, "lost")
	case 3:
		d.kill, d.drain = rapid.IntRange(0, 15).Draw(t, "drain"), true
	case 4:
		d.limit = rapid.Int64Range(1, 20).Draw(t, "limit")
	case 5:
		d.fault = stripetest.Fault{
			Kind:  rapid.SampledFrom(faults).Draw(t, "fault"),
			Skip:  rapid.IntRange(0, 12).Draw(t, "skip"),
			Times: rapid.IntRange(1, 4).Draw(t, "times"),
		}
		d.retries = api.Retry{Initial: time.Millisecond, Max: 2 * time.Millisecond, Attempt: 5 * time.Second}
		d.retries.Budget = rapid.SampledFrom([]time.Duration{2 * time.Millisecond, 10 * time.Second}).Draw(t, "budget")
	case 6:
		d.follow = rapid.IntRange(10, 80).Draw(t, "follow")
		d.lost = rapid.IntRange(0, 5).Draw(t, "lost")
	}
	return d
})
