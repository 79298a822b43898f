package airbyte_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// incumbent is source-stripe, as far as a destination sees it: the rows that it has loaded, and the states that it has written.
type incumbent struct {
	*world
	selected []string
	changed  map[string]int64 // when a stream last changed, in Unix seconds
	shape    int              // selects the form of states
}

// parents are the streams whose states are in those of their children.
var parents = map[string]string{
	"bank_accounts": "customers", "customer_balance_transactions": "customers", "payment_methods": "customers", "invoice_line_items": "invoices",
	"subscription_items": "subscriptions", "transfer_reversals": "transfers", "setup_attempts": "setup_intents", "application_fees_refunds": "application_fees",
	"payout_balance_transactions": "payouts", "checkout_sessions_line_items": "checkout_sessions",
}

// always lists the child streams that source-stripe never updates from events of their own.
var always = []string{"customer_balance_transactions", "payout_balance_transactions", "transfer_reversals", "checkout_sessions_line_items", "setup_attempts"}

// load updates the rows of a destination to what Stripe has now, and sets the states that belong to them.
func (i *incumbent) load(d *destination) {
	for _, name := range i.selected {
		truth := i.truth(name)
		for id, row := range d.rows[name] {
			if truth[id] == nil {
				row.deleted, row.cursor = true, float64(i.now().Unix())
				d.rows[name][id] = row
			}
		}
		for id, object := range truth {
			cursor := i.cursor(object)
			if column := d.streams[name].Cursor[0]; column != "created" {
				cursor = max(cursor, float64(i.changed[name])) // it may be the object that changed
				object[column] = cursor
			}
			text, err := json.Marshal(object)
			if err != nil {
				i.Fatalf("%v", err)
			}
			d.rows[name][id] = kept{data: string(text), cursor: cursor, theirs: true}
		}
		d.states[name] = i.state(name)
	}
}

func (i *incumbent) cursor(object map[string]any) float64 {
	created, ok := object["created"].(float64)
	if !ok {
		return float64(i.now().Unix()) // as source-stripe has it
	}
	return created
}

// started is the start date in the configuration. It is the cursor of a stream without records.
const started = 1577836800

// newest returns the greatest cursor of a stream.
func (i *incumbent) newest(name string) int64 {
	at := max(i.changed[name], started)
	for _, object := range i.truth(name) {
		at = max(at, int64(i.cursor(object)))
	}
	return at
}

// state returns the state of a stream. Its form depends on i.shape.
func (i *incumbent) state(name string) json.RawMessage {
	at := i.newest(name)
	quoted := strconv.Quote(strconv.FormatInt(at, 10))
	if i.shape%3 == 0 {
		quoted = strconv.FormatInt(at, 10) // before 5.9
	}
	cursor := map[string]string{"invoice_line_items": "invoice_updated", "subscription_items": "subscription_updated", "balance_transactions": "created", "files": "created"}[name]
	if cursor == "" {
		cursor = "updated"
	}
	parent := parents[name]
	switch {
	case parent == "" && i.shape%5 == 0:
		return json.RawMessage(fmt.Sprintf(`{"state_type":"date-range","slices":[{"start":"0","end":"%d","most_recent_cursor_value":"%d"}],"legacy":{}}`, i.now().Unix(), at))
	case parent == "":
		return json.RawMessage(fmt.Sprintf(`{%q:%s}`, cursor, quoted))
	case i.shape%2 == 0 && !slices.Contains(always, name):
		return json.RawMessage(fmt.Sprintf(`{"use_global_cursor":true,"state":{"created":"1600000000"},"lookback_window":7,"parent_state":{%q:{"updated":"1600000000"}},%q:%s}`, parent, cursor, quoted))
	}
	own := max(at, i.newest(parent)) // an idle child has no cursor of its own, and the parent's counts
	if name == "setup_attempts" && i.shape%2 == 0 {
		return json.RawMessage(fmt.Sprintf(`{"use_global_cursor":false,"states":[{"partition":{"setup_intent_id":"seti_1","parent_slice":{}},"cursor":{"created":"%d"}}],"state":{"created":"%d"},"lookback_window":7,"parent_state":{%q:{"updated":"%d"}}}`,
			own, own, parent, i.newest(parent)))
	}
	return json.RawMessage(fmt.Sprintf(`{"use_global_cursor":true,"state":{"created":"%d"},"lookback_window":7,"parent_state":{%q:{"updated":"%d"}}}`, own, parent, i.newest(parent)))
}

// ids returns the ids of a stream's objects.
func (w *world) ids(name string) []string { return slices.Sorted(maps.Keys(w.truth(name))) }
