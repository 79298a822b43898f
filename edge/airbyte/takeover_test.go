package airbyte_test

import (
	"errors"
	"flag"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	"github.com/stripe-connector/stripe-connector/connector/stripe/takeover"
)

// related are streams that affect each other, by their names in Airbyte, with the lists that they need.
var related = [][]string{
	{"customers", "bank_accounts", "payment_methods", "customer_balance_transactions"},
	{"invoices", "invoice_line_items", "invoice_items"},
	{"charges", "refunds", "disputes"},
	{"coupons", "products", "prices", "plans"},
	{"subscriptions", "subscription_items", "customers"},
	{"setup_intents", "setup_attempts"},
	{"balance_transactions", "files"},
	{"transfers", "transfer_reversals"},
	{"checkout_sessions", "checkout_sessions_line_items"},
	{"cards", "authorizations", "top_ups"},
}

// lists are the lists of these streams that have one.
var lists = map[string]string{
	"customers": "/v1/customers", "invoices": "/v1/invoices", "invoice_items": "/v1/invoiceitems", "charges": "/v1/charges", "refunds": "/v1/refunds",
	"disputes": "/v1/disputes", "coupons": "/v1/coupons", "products": "/v1/products", "prices": "/v1/prices", "plans": "/v1/plans",
	"subscriptions": "/v1/subscriptions", "setup_intents": "/v1/setup_intents", "balance_transactions": "/v1/balance_transactions", "files": "/v1/files",
	"transfers": "/v1/transfers", "checkout_sessions": "/v1/checkout/sessions", "cards": "/v1/issuing/cards", "authorizations": "/v1/issuing/authorizations",
	"top_ups": "/v1/topups",
}

// checks sets the number of histories unless -rapid.checks does.
func checks(t *testing.T, n string) {
	t.Helper()
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == "rapid.checks" })
	if set {
		return
	}
	if err := flag.Set("rapid.checks", n); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set("rapid.checks", "100") })
}

// TestTakingOver plays random histories: changes at Stripe, source-stripe until a random moment, more changes, and then this
// connector with its states, killed at a random line. The rows must match the truth. A stream may be read in full only if its position
// is older than Stripe's events, and must say so.
func TestTakingOver(t *testing.T) {
	checks(t, "40")
	found := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 0}, Accounts: 2}).discover()
	rapid.Check(t, func(r *rapid.T) {
		names := slices.Clone(rapid.SampledFrom(related).Draw(r, "streams"))
		if rapid.Bool().Draw(r, "more") {
			names = append(names, rapid.SampledFrom(related).Draw(r, "other streams")...)
		}
		slices.Sort(names)
		names = slices.Compact(names)
		h := newTakingOver(r, names, found)
		h.changes(r, rapid.IntRange(0, 4).Draw(r, "changes before"))
		h.incumbent.load(h.destination)
		position := h.now()
		for _, name := range h.selected {
			at, err := takeover.NewAirbyte(h.now).Position(h.names[name], h.states[name])
			if err != nil {
				r.Fatalf("%s: %v", name, err)
			}
			h.positions[name] = at
			if h.positions[name].Before(position) {
				position = h.positions[name]
			}
		}
		for range rapid.IntRange(0, 3).Draw(r, "pauses") {
			h.wait(rapid.SampledFrom([]time.Duration{time.Minute, 5 * time.Hour, 4 * 24 * time.Hour, 12 * 24 * time.Hour, 20 * 24 * time.Hour}).Draw(r, "pause"))
			h.changes(r, rapid.IntRange(0, 4).Draw(r, "changes after"))
		}
		h.wait(10 * time.Minute)
		away := h.now().Sub(position)
		h.began = h.now()
		kill := rapid.SampledFrom([]int{-1, -1, 1, 3, 7, 12, 25, 60}).Draw(r, "kill")
		lines, err := h.read(h.catalog, h.destination.state(), kill)
		if err != nil && !errors.Is(err, errKilled) {
			r.Fatalf("read: %v", err)
		}
		h.take(lines)
		switch full := h.fullReads(position); {
		case away < 27*24*time.Hour && len(full) > 0:
			r.Fatalf("away for %v, and read in full: %v", away, full)
		case err == nil && h.stale() && !strings.Contains(logged(lines, "WARN"), "too long ago"):
			r.Fatalf("away for %v, without a warning", away)
		}
		h.wait(time.Minute)
		for range 2 { // lists that were interrupted are re-read
			h.take(h.sync(h.destination, h.catalog))
			h.wait(10 * time.Minute)
		}
		h.expect(h.destination, h.selected, h.spared)
	})
}

// TestReadAgainAfterAMonth pauses for longer than Stripe keeps events. Re-reading costs only the pages of the list and of the events:
// nothing is requested by id. Deletions of the last 28 days are applied, even if the read is interrupted.
func TestReadAgainAfterAMonth(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/customers": 60}})
	found := w.discover()
	catalog := configured(found, "incremental", "customers")
	d := newDestination(found, true)
	w.sync(d, catalog)
	w.wait(25 * 24 * time.Hour)
	ids := w.ids("customers")
	for i, id := range ids[:50] {
		do := func(id string) error { return w.stripe.Update(id) }
		if i%10 == 0 {
			do = w.stripe.Delete
		}
		if err := do(id); err != nil {
			t.Fatal(err)
		}
		w.wait(time.Minute)
	}
	w.wait(10 * 24 * time.Hour)
	w.pageSize = 10
	lines, err := w.read(catalog, d.state(), 25)
	d.load(lines)
	if !errors.Is(err, errKilled) || !strings.Contains(logged(lines, "WARN"), "too long ago") {
		t.Fatalf("%v, %s", err, logged(lines, "WARN"))
	}
	w.wait(40 * time.Hour) // and again longer than the state reaches back
	requests := len(w.requests)
	lines = w.sync(d, catalog)
	if pages := slices.DeleteFunc(slices.Clone(w.requests), func(request string) bool { return !strings.HasPrefix(request, "/v1/customers?") }); len(pages) > 5 {
		t.Errorf("the list is read from the beginning: %q", pages)
	}
	w.expect(d, []string{"customers"}, nil)
	for _, request := range w.requests {
		if strings.HasPrefix(request, "/v1/customers/") {
			t.Errorf("requested by id: %s", request)
		}
	}
	if requests += len(w.requests); requests > 20 {
		t.Errorf("%d requests", requests)
	}
	if n := len(slices.DeleteFunc(lines, func(l line) bool {
		return l.Type != "RECORD" || !strings.Contains(string(l.Record.Data), `"is_deleted":true`)
	})); n != 5 {
		t.Errorf("%d deletions, want 5", n)
	}
}

// takingOver is a history that is being played.
type takingOver struct {
	*incumbent
	*destination
	catalog []byte
	deleted map[string]time.Time // when objects were deleted
	told    string               // what was logged

	positions map[string]time.Time // what the states of source-stripe say
	began     time.Time            // when this connector began
}

func newTakingOver(r *rapid.T, names []string, found []catalogStream) *takingOver {
	objects := map[string]int{"*": 0, "/v1/customers": 4, "/v1/charges": 3, "/v1/coupons": 3, "/v1/products": 3}
	for _, name := range names {
		if lists[name] != "" {
			objects[lists[name]] = 4
		}
	}
	w := newWorld(r, stripetest.Options{Seed: rapid.Uint64Range(1, 20).Draw(r, "seed"), Objects: objects, Accounts: -1, ShuffleTies: true})
	w.pageSize = rapid.SampledFrom([]int{100, 2}).Draw(r, "page size")
	return &takingOver{
		incumbent:   &incumbent{world: w, selected: names, changed: map[string]int64{}, shape: rapid.IntRange(0, 30).Draw(r, "shape of states")},
		destination: newDestination(found, rapid.Bool().Draw(r, "lossy")),
		catalog:     configured(found, "incremental", names...),
		deleted:     map[string]time.Time{}, positions: map[string]time.Time{},
	}
}

// changes makes n changes.
func (h *takingOver) changes(r *rapid.T, n int) {
	for range n {
		h.wait(rapid.SampledFrom([]time.Duration{time.Second, time.Minute, time.Hour}).Draw(r, "a moment"))
		name := rapid.SampledFrom(h.selected).Draw(r, "stream")
		before := h.ids(name)
		verb := rapid.SampledFrom([]string{"update", "update", "create", "delete"}).Draw(r, "verb")
		if verb == "create" && lists[name] != "" {
			_, err := h.stripe.Create(lists[name], nil)
			if err != nil {
				r.Fatalf("%v", err)
			}
			h.note(name)
			continue
		}
		if len(before) == 0 {
			continue
		}
		id := rapid.SampledFrom(before).Draw(r, "object")
		if verb == "delete" && h.stripe.Delete(id) == nil {
			for _, name := range h.selected { // its children may have gone with it
				truth := h.truth(name)
				for _, row := range slices.Collect(maps.Keys(h.rows[name])) {
					if _, known := h.deleted[row]; truth[row] == nil && !known {
						h.deleted[row] = h.now()
					}
				}
			}
			h.deleted[id] = h.now()
			h.note(name)
			continue
		}
		if name != "files" && name != "balance_transactions" && h.stripe.Update(id) == nil {
			h.note(name)
		}
	}
}

// note notes that a stream changed, and its children with it.
func (h *takingOver) note(name string) {
	for _, other := range h.selected {
		if other == name || parents[other] == name || parents[name] == other {
			h.changed[other] = h.now().Unix()
		}
	}
}

// take loads lines, and remembers what was logged.
func (h *takingOver) take(lines []line) {
	h.destination.load(lines)
	h.told += logged(lines, "INFO") + "\n" + logged(lines, "WARN") + "\n"
}

// spared reports whether a row may remain although its object is gone: either nothing says that it is gone, or the connector has
// logged that it can't know.
func (h *takingOver) spared(stream, id string) bool {
	long := !h.deleted[id].IsZero() && h.began.Sub(h.deleted[id]) > 27*24*time.Hour
	reread := parents[stream] != "" && strings.Contains(h.told, stream+": The last sync was too long ago")
	return long || reread || strings.Contains(h.told, stream+": some rows vanished")
}

// stale reports whether the position of a stream that events announce is too old to continue from.
func (h *takingOver) stale() bool {
	return slices.ContainsFunc(h.selected, func(name string) bool {
		return name != "balance_transactions" && h.began.Sub(h.positions[name]) > 30*24*time.Hour
	})
}

// fullReads returns the requests of the last read that list objects created long before a position.
func (h *takingOver) fullReads(position time.Time) (full []string) {
	for _, request := range h.requests {
		u, err := url.Parse(request)
		if err != nil {
			h.Fatalf("%v", err)
		}
		isList := slices.ContainsFunc(h.selected, func(name string) bool { return lists[name] == u.Path })
		from, err := strconv.ParseInt(u.Query().Get("created[gte]"), 10, 64)
		if isList && u.Query().Get("charge") == "" && (err != nil || time.Unix(from, 0).Before(position.AddDate(0, 0, -10))) {
			full = append(full, request)
		}
	}
	return full
}
