package singer_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	"github.com/stripe-connector/stripe-connector/connector/stripe/takeover"
	"github.com/stripe-connector/stripe-connector/edge/singer"
)

// incumbent is tap-stripe 3.3, as far as its tables and its state are concerned: each run reads what was created since the
// bookmark, and the objects of the events of the last days.
type incumbent struct {
	*world
	into   *target
	events []event // of the last 30 days
}

// event is an event at Stripe.
type event struct {
	Created int64
	Type    string
	Data    struct{ Object struct{ ID, Object string } }
}

const (
	eventWindow = 7 * 24 * time.Hour
	retention   = 30 * 24 * time.Hour
	tapLookback = 600
)

// run runs the tap. If interrupted is set, it is a first run that ended while it read lists.
func (i incumbent) run(interrupted bool) {
	bookmarks := map[string]map[string]any{}
	var state map[string]json.RawMessage
	if i.state != nil {
		if err := json.Unmarshal(i.state, &state); err != nil {
			panic(err)
		}
		if err := json.Unmarshal(state["bookmarks"], &bookmarks); err != nil {
			panic(err)
		}
	} else {
		state = map[string]json.RawMessage{}
	}
	for _, raw := range i.stripe.Truth("/v1/events") {
		var e event
		if err := json.Unmarshal(raw, &e); err != nil {
			panic(err)
		}
		i.events = append(i.events, e)
	}
	for _, name := range slices.Sorted(maps.Keys(tapStreams)) {
		if !i.stream(name, bookmarks, interrupted) {
			break // the run fails; the next begins from the start
		}
	}
	encoded, err := json.Marshal(bookmarks)
	if err != nil {
		panic(err)
	}
	state["bookmarks"] = encoded
	if i.state, err = json.Marshal(state); err != nil { // the tap keeps what it doesn't know
		panic(err)
	}
}

// stream reads a stream. It reports false if its events are too old.
func (i incumbent) stream(name string, bookmarks map[string]map[string]any, interrupted bool) bool {
	s, now := tapStreams[name], i.now().Unix()
	key := "created"
	if slices.Contains([]string{"invoices", "invoice_items", "invoice_line_items"}, name) {
		key = "date"
	}
	mark := func(of, key string) int64 {
		n, _ := bookmarks[of][key].(float64)
		return int64(n)
	}
	created, updates := mark(name, key), mark(name+"_events", "updates_created")
	hasEvents := name != "events" && name != "balance_transactions"
	if updates != 0 && updates < now-int64(retention.Seconds()) {
		bookmarks[name][key] = "2020-01-01T00:00:00Z"
		delete(bookmarks, name+"_events")
		return false
	}
	if interrupted {
		now -= int64(eventWindow.Seconds()) * 3
	}
	if !hasEvents {
		created -= tapLookback
	}
	newest := max(updates, now-int64(eventWindow.Seconds()))
	changed := map[string]string{}
	about := s
	if s.parent != "" {
		about = tapStreams[s.parent]
	}
	for _, e := range slices.Backward(i.events) { // oldest first: the newest counts
		if hasEvents && !interrupted && strings.HasPrefix(e.Type, about.prefix) && e.Data.Object.Object == about.object && e.Created >= updates {
			changed[e.Data.Object.ID] = e.Type
			newest = max(newest, e.Created)
		}
	}
	i.rows(name, created, now, changed)
	bookmarks[name] = map[string]any{key: float64(now)}
	if hasEvents && !interrupted {
		bookmarks[name+"_events"] = map[string]any{"updates_created": float64(newest)}
	}
	return true
}

// rows stores the rows of what was created in a period, and of changed objects with the types of their events.
func (i incumbent) rows(name string, from, until int64, changed map[string]string) {
	s, table := tapStreams[name], i.into.tables[name]
	parents := map[string]int64{}
	if s.parent != "" {
		for id, raw := range i.stripe.Truth(tapStreams[s.parent].path) {
			parents[id] = createdOf(decode(raw))
		}
	}
	truth := i.truth(i.into, name)
	for key, row := range truth {
		id, at := row["id"], createdOf(row)
		if s.parent != "" {
			id = row[s.field]
			if name == "payout_transactions" {
				id = row["payout_id"]
			}
			at = parents[id.(string)]
		}
		kind, isChanged := changed[id.(string)]
		if !isChanged && (at < from || at > until) {
			continue
		}
		row = maps.Clone(row)
		row[byIncumbent] = true
		if s.prefix != "" && isChanged {
			row["updated_by_event_type"] = kind
		}
		table[key] = row
	}
	for id, kind := range changed {
		if table[id] != nil && truth[id] == nil && s.prefix != "" {
			table[id] = maps.Clone(table[id])
			table[id]["updated_by_event_type"] = kind
		}
	}
}

// createdOf returns when an object was created, in Unix seconds.
func createdOf(object map[string]any) int64 {
	for _, name := range []string{"created", "date"} {
		switch v := object[name].(type) {
		case json.Number:
			n, _ := v.Int64()
			return n
		case string:
			if t, err := time.Parse(time.RFC3339, v); err == nil {
				return t.Unix()
			}
		}
	}
	return 0
}

// declareAll declares the tap's streams to a target, since the incumbent's SCHEMA messages aren't simulated.
func (w *world) declareAll(t *testing.T, into *target) {
	t.Helper()
	tap, _, err := takeover.NewSinger(w.configText(), w.now())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range tap.Streams() {
		if s.Default {
			_, schema, _ := s.Shape(nil)
			into.declare(s.Name, schema, s.Key)
		}
	}
}

// trailing are the lists whose newest objects are re-read, as these change without an event.
var trailing = []string{"/v1/events", "/v1/balance_transactions", "/v1/payouts"}

// lists are the requests that read a whole table and that a recent state makes unnecessary.
func (w *world) lists() (all []string) {
	for _, s := range tapStreams {
		if s.parent == "" && !slices.Contains(trailing, s.path) && w.stripe.RequestCount(s.path) > 0 {
			all = append(all, fmt.Sprintf("%d requests of %s", w.stripe.RequestCount(s.path), s.path))
		}
	}
	return all
}

// recent returns the differences without the deletions that are too old for an event, and those of events that aren't real.
func (w *world) recent(differences []string) []string {
	known := map[string]bool{}
	for _, raw := range w.stripe.Truth("/v1/events") {
		var e event
		if err := json.Unmarshal(raw, &e); err != nil {
			panic(err)
		}
		if strings.HasSuffix(e.Type, ".deleted") && e.Created > w.now().Add(-28*24*time.Hour).Unix() {
			known[e.Data.Object.ID] = true
		}
	}
	return slices.DeleteFunc(differences, func(d string) bool {
		words := strings.Fields(d)
		if words[0] == "events" && strings.Contains(d, "reconciliation_status") { // which the simulated Stripe shows as it is now
			return true
		}
		return strings.Contains(d, " is gone, ") && !known[words[1]]
	})
}

// TestTakeOver plays random histories in which the incumbent and this tap take turns, each from the state that the other left, with
// changes in between. After each run, the tables must match the truth, and a run that continues from a recent state re-lists nothing.
func TestTakeOver(t *testing.T) {
	histories := uint64(12)
	if testing.Short() {
		histories = 2
	}
	for seed := range histories {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { playTakeOver(t, seed) })
	}
}

func playTakeOver(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0x51493))
	w, into := newWorld(t, stripetest.Options{
		Seed: seed, Scale: 0.1, EventDelay: time.Duration(random.IntN(2)) * 30 * time.Second, ShuffleTies: true,
	}), newTarget()
	w.declareAll(t, into)
	interrupted := random.IntN(4) == 0
	incumbent{world: w, into: into}.run(interrupted)
	fresh := !interrupted
	for range 5 {
		away := []time.Duration{time.Minute, time.Hour, 26 * time.Hour, 6 * 24 * time.Hour, 20 * 24 * time.Hour}[random.IntN(5)]
		if random.IntN(8) == 0 {
			away, fresh = 45*24*time.Hour, false
		}
		w.change(t, random.Uint64(), random.IntN(30))
		w.wait(away)
		w.change(t, random.Uint64(), random.IntN(30))
		w.wait(10 * time.Minute)
		who := "the incumbent"
		if random.IntN(3) > 0 || !fresh {
			who = "this tap"
			w.stripe.ResetRequests()
			w.run(t, into)
			into.check(t)
			if lists := w.lists(); fresh && lists != nil {
				t.Errorf("after %s, it made %v\n%s", away, lists, warnings(w.log.String()))
			}
			fresh = true
		} else {
			incumbent{world: w, into: into}.run(false)
		}
		for _, stream := range slices.Sorted(maps.Keys(tapStreams)) {
			if who == "the incumbent" && stream == "balance_transactions" {
				continue // it leaves them pending
			}
			for _, difference := range w.recent(w.compare(into, stream)) {
				t.Errorf("%s after %s: %s", who, away, difference)
			}
		}
		if t.Failed() {
			t.Fatalf("state %s\n%s", w.state, warnings(w.log.String()))
		}
	}
}

// TestOldStates checks states that are too old to resume from, and states that older versions of the tap wrote.
func TestOldStates(t *testing.T) {
	day := int64(24 * 60 * 60)
	today := now.Unix()
	tests := map[string]struct {
		stream, state string
		full          bool   // everything is re-read
		warning       string // that is logged
	}{
		"none":      {"charges", `{}`, true, ""},
		"null":      {"charges", `{"bookmarks":{"charges":null},"currently_syncing":null}`, true, ""},
		"young":     {"charges", fmt.Sprintf(`{"bookmarks":{"charges":{"created":%d},"charges_events":{"updates_created":%d}}}`, today, today-7*day), false, ""},
		"strings":   {"charges", fmt.Sprintf(`{"bookmarks":{"charges":{"created":"%d"},"charges_events":{"updates_created":"%d"}}}`, today, today-7*day), false, ""},
		"floats":    {"charges", fmt.Sprintf(`{"bookmarks":{"charges":{"created":%d.0},"charges_events":{"updates_created":%d.0}}}`, today, today-7*day), false, ""},
		"old":       {"charges", fmt.Sprintf(`{"bookmarks":{"charges":{"created":%d},"charges_events":{"updates_created":%d}}}`, today-40*day, today-40*day), true, "Stripe keeps events for 30 days"},
		"no events": {"charges", fmt.Sprintf(`{"bookmarks":{"charges":{"created":%d}}}`, today), true, "doesn't say until when changes were read"},
		"reset":     {"charges", `{"bookmarks":{"charges":{"created":"2020-01-01T00:00:00.000000Z"}}}`, true, "doesn't say until when changes were read"},
		"leftovers": {"invoices", fmt.Sprintf(`{"bookmarks":{"invoices":{"date":%d,"created":"2020-01-01"},"invoices_events":{"updates_created":%d}}}`, today, today-day), false, ""},
		"child with its parent's events": {"invoice_line_items",
			fmt.Sprintf(`{"bookmarks":{"invoices":{"date":%d},"invoices_events":{"updates_created":%d},"invoice_line_items":{"date":%d,"null":"x"}}}`, today, today-day, today), false, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w, into := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/charges": 4, "/v1/invoices": 4}}, test.stream), newTarget()
			w.state = []byte(test.state)
			w.run(t, into)
			into.check(t)
			if got := w.lists() != nil; got != test.full {
				t.Errorf("it made %v", w.lists())
			}
			if got := warnings(w.log.String()); !strings.Contains(got, test.warning) || test.warning == "" && got != "" {
				t.Errorf("it warned %q, want %q", got, test.warning)
			}
			w.stripe.ResetRequests()
			w.wait(time.Hour)
			w.run(t, into)
			if lists := w.lists(); lists != nil {
				t.Errorf("the second run made %v", lists)
			}
		})
	}
}

// TestBalanceTransactionsContinue checks that balance transactions and events continue from their bookmark less the lookback, and
// that the pending ones are re-read.
func TestBalanceTransactionsContinue(t *testing.T) {
	w, into := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/balance_transactions": 400, "/v1/charges": 100}}, "balance_transactions", "events"), newTarget()
	w.config["lookback_window"] = "3600"
	at := now.Add(-24 * time.Hour).Unix()
	w.state = fmt.Appendf(nil, `{"bookmarks":{"balance_transactions":{"created":%d},"events":{"created":%d}}}`, at, at)
	w.run(t, into)
	for id, raw := range w.stripe.Truth("/v1/balance_transactions") {
		created, row := createdOf(decode(raw)), into.tables["balance_transactions"][id]
		if created >= at-3600 && row == nil || created < at-9*24*3600 && row != nil {
			t.Errorf("%s of %s: sent %v", id, time.Unix(created, 0).UTC(), row != nil)
		}
	}
	for id, raw := range w.stripe.Truth("/v1/events") {
		created, row := createdOf(decode(raw)), into.tables["events"][id]
		if (created >= at-3600) != (row != nil) {
			t.Errorf("%s of %s: sent %v", id, time.Unix(created, 0).UTC(), row != nil)
		}
	}
	if len(into.tables["events"]) == 0 || len(into.tables["balance_transactions"]) > 150 {
		t.Errorf("%d events, %d balance transactions", len(into.tables["events"]), len(into.tables["balance_transactions"]))
	}
}

// TestUnselectedStreamsKeepTheirBookmarks checks that a state still names streams that a run doesn't select.
func TestUnselectedStreamsKeepTheirBookmarks(t *testing.T) {
	w, into := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 0}}, "charges"), newTarget()
	w.state = fmt.Appendf(nil, `{"bookmarks":{"coupons":{"created":%d},"later":{"x":1}},"other":7}`, now.Unix())
	w.run(t, into)
	var state struct {
		Bookmarks map[string]json.RawMessage
		Other     int
	}
	if err := json.Unmarshal(into.state, &state); err != nil {
		t.Fatal(err)
	}
	if state.Other != 7 || string(state.Bookmarks["later"]) != `{"x":1}` || string(state.Bookmarks["coupons"]) != fmt.Sprintf(`{"created":%d}`, now.Unix()) {
		t.Errorf("the state is %s", into.state)
	}
}

// TestResetBookmark checks that a user who removes the bookmarks of a stream reads it from the beginning, as with the tap.
func TestResetBookmark(t *testing.T) {
	w, into := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/charges": 4, "/v1/coupons": 4}}, "charges", "coupons"), newTarget()
	w.run(t, into)
	state := decode(w.state)
	bookmarks := state["bookmarks"].(map[string]any)
	delete(bookmarks, "charges")
	delete(bookmarks, "charges_events")
	var err error
	if w.state, err = json.Marshal(state); err != nil {
		t.Fatal(err)
	}
	w.stripe.ResetRequests()
	w.run(t, into)
	if lists := w.lists(); len(lists) != 1 || !strings.Contains(lists[0], "/v1/charges") {
		t.Errorf("it made %v", lists)
	}
}

// TestTheKeyIsNowhere checks that neither messages nor logs contain the API key.
func TestTheKeyIsNowhere(t *testing.T) {
	w := newWorld(t, stripetest.Options{Scale: 0.1})
	w.config["client_secret"] = "sk_test_Planted4Secret"
	var out strings.Builder
	for _, call := range []singer.Call{{Discover: true}, {Catalog: w.catalog}} {
		if err := w.call(t.Context(), &out, call); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(out.String()+w.log.String(), "Planted4Secret") {
		t.Error("the key was printed")
	}
}

// TestNewerBookmarksCount checks that once the incumbent has run again, its bookmarks take precedence over our older state.
func TestNewerBookmarksCount(t *testing.T) {
	w, into := newWorld(t, stripetest.Options{Scale: 0.1}), newTarget()
	w.run(t, into)
	for range 2 {
		w.wait(20 * 24 * time.Hour)
		incumbent{world: w, into: into}.run(false)
	}
	w.wait(time.Hour)
	w.stripe.ResetRequests()
	w.run(t, into)
	into.check(t)
	if lists := w.lists(); lists != nil {
		t.Errorf("it made %v\n%s", lists, warnings(w.log.String()))
	}
}
