package singer_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
)

// byIncumbent marks the rows that the incumbent wrote.
const byIncumbent = "by the incumbent"

// tapStream says where the truth of a stream is.
type tapStream struct {
	path    string   // of the list, with a placeholder for the parent
	expand  []string // what the columns need
	prefix  string   // of the events about its objects
	object  string
	parent  string
	field   string   // that holds the parent's id, where Stripe doesn't show it
	ignored []string // columns that follow other objects, which change without an event about this one
}

// tapStreams are the tap's streams.
var tapStreams = map[string]tapStream{
	"charges":              {path: "/v1/charges", expand: []string{"refunds"}, prefix: "charge.", object: "charge", ignored: []string{"refunds"}},
	"events":               {path: "/v1/events"},
	"customers":            {path: "/v1/customers", prefix: "customer.", object: "customer", expand: []string{"sources", "subscriptions", "tax_ids"}, ignored: []string{"sources", "subscriptions", "tax_ids"}},
	"plans":                {path: "/v1/plans", prefix: "plan.", object: "plan", expand: []string{"tiers"}},
	"payment_intents":      {path: "/v1/payment_intents", prefix: "payment_intent.", object: "payment_intent"},
	"invoices":             {path: "/v1/invoices", prefix: "invoice.", object: "invoice"},
	"invoice_items":        {path: "/v1/invoiceitems", prefix: "invoiceitem.", object: "invoiceitem"},
	"invoice_line_items":   {path: "/v1/invoices/{invoice}/lines", parent: "invoices", field: "invoice"},
	"transfers":            {path: "/v1/transfers", prefix: "transfer.", object: "transfer"},
	"coupons":              {path: "/v1/coupons", prefix: "coupon.", object: "coupon"},
	"subscriptions":        {path: "/v1/subscriptions", prefix: "customer.subscription.", object: "subscription"},
	"subscription_items":   {path: "/v1/subscription_items", parent: "subscriptions", field: "subscription"},
	"balance_transactions": {path: "/v1/balance_transactions"},
	"payouts":              {path: "/v1/payouts", prefix: "payout.", object: "payout"},
	"payout_transactions":  {path: "/v1/balance_transactions", parent: "payouts", field: "payout"},
	"disputes":             {path: "/v1/disputes", prefix: "charge.dispute.", object: "dispute"},
	"products":             {path: "/v1/products", prefix: "product.", object: "product"},
	"transfer_reversals":   {path: "/v1/transfers/{transfer}/reversals", parent: "transfers", field: "transfer"},
}

// truth returns the rows that a table should have, by key, with every column of its schema that Stripe shows.
func (w *world) truth(into *target, stream string) map[string]map[string]any {
	s := tapStreams[stream]
	rows, columns := map[string]map[string]any{}, into.columns(stream)
	add := func(raw json.RawMessage, parent string) {
		object := decode(raw)
		if s.field != "" && object[s.field] == nil {
			object[s.field] = parent
		}
		if stream == "payout_transactions" {
			object["payout_id"] = parent
		}
		row := shaped(columns, object)
		var key []string
		for _, name := range into.keys[stream] {
			key = append(key, fmt.Sprint(row[name]))
		}
		rows[strings.Join(key, " ")] = row
	}
	begin, end := strings.IndexByte(s.path, '{'), strings.IndexByte(s.path, '}')
	if begin >= 0 {
		for parent := range w.stripe.Truth(tapStreams[s.parent].path) {
			for _, raw := range w.stripe.Truth(s.path[:begin]+parent+s.path[end+1:], s.expand...) {
				add(raw, parent)
			}
		}
		return rows
	}
	for id, raw := range w.stripe.Truth(s.path, s.expand...) {
		parent := ""
		if s.parent != "" {
			parent = w.stripe.Relation(id, s.field)
		}
		if stream != "payout_transactions" || slices.Contains(w.stripe.PaidOut(parent), id) {
			add(raw, parent)
		}
	}
	return rows
}

func decode(raw []byte) map[string]any {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		panic(err)
	}
	return object
}

// columns returns the properties in the schema of a stream.
func (t *target) columns(stream string) map[string]any {
	if t.decoded[stream] == nil {
		t.decoded[stream] = decode(t.texts[stream])["properties"].(map[string]any)
	}
	return t.decoded[stream]
}

// shaped returns an object in the form that the columns of a schema describe. It is written without regard to speed, so that it is easy to
// compare with the rules of the tap.
func shaped(columns, object map[string]any) map[string]any {
	row := map[string]any{}
	for name, column := range columns {
		if value, ok := object[name]; ok && name != "updated" && name != "updated_by_event_type" {
			row[name] = shapedValue(column.(map[string]any), value)
		}
	}
	return row
}

func shapedValue(schema map[string]any, value any) any {
	list, isList := value.(map[string]any)
	if isList = isList && list["object"] == "list"; isList {
		value = list["data"]
	}
	types := fmt.Sprint(schema["type"])
	items, _ := schema["items"].(map[string]any)
	properties, _ := schema["properties"].(map[string]any)
	switch v := value.(type) {
	case json.Number:
		if schema["format"] == "date-time" {
			n, err := v.Int64()
			if err != nil {
				return nil
			}
			return time.Unix(n, 0).UTC().Format("2006-01-02T15:04:05.000000Z")
		}
		if types == "[null string]" {
			return v.String()
		}
	case map[string]any:
		if types == "[null string]" {
			return text{v}
		}
		shaped := map[string]any{}
		for name, value := range v {
			below, _ := properties[name].(map[string]any)
			shaped[name] = shapedValue(below, value)
		}
		return shaped
	case []any:
		var shaped []any
		for _, value := range v {
			if object, ok := value.(map[string]any); ok && fmt.Sprint(items["type"]) == "[null string]" {
				value = object["id"]
			}
			shaped = append(shaped, shapedValue(items, value))
		}
		if isList && fmt.Sprint(items["type"]) == "[null string]" && len(v) == 0 {
			return nil // no ids
		}
		return shaped
	}
	return value
}

// text is JSON in a string.
type text struct{ value map[string]any }

// compare reports how a table differs from the truth. Rows of deleted objects must be marked, where the table has a column for it.
// Children that vanished from their parents may stay.
func (w *world) compare(into *target, stream string) (differences []string) {
	s := tapStreams[stream]
	want, got := w.truth(into, stream), into.tables[stream]
	for key, row := range want {
		found, ok := got[key]
		if !ok {
			differences = append(differences, fmt.Sprintf("%s %s is missing", stream, key))
			continue
		}
		ignored := s.ignored
		if found[byIncumbent] != nil && stream == "balance_transactions" {
			ignored = []string{"status"} // which the incumbent doesn't follow
		}
		if diff := difference(row, found, ignored); diff != "" {
			differences = append(differences, fmt.Sprintf("%s %s: (-want +got):\n%s", stream, key, diff))
		}
	}
	for key, row := range got {
		_, ok := want[key]
		kind, _ := row["updated_by_event_type"].(string)
		if !ok && s.prefix != "" && !strings.HasSuffix(kind, ".deleted") {
			differences = append(differences, fmt.Sprintf("%s %s is gone, and its row says %q", stream, key, kind))
		}
		if ok && strings.HasSuffix(kind, ".deleted") && s.object != "subscription" {
			differences = append(differences, fmt.Sprintf("%s %s exists, and its row says %q", stream, key, kind))
		}
	}
	slices.Sort(differences)
	return differences
}

// difference returns how a row differs from what it should be. Columns that are null may be absent.
func difference(want, got map[string]any, ignored []string) string {
	normal := func(row map[string]any) map[string]any {
		row = maps.Clone(row)
		for name, value := range row {
			own := name == "updated" || name == "updated_by_event_type" || name == byIncumbent
			if value == nil || own || slices.Contains(ignored, name) {
				delete(row, name)
			}
			if list, ok := value.([]any); ok && len(list) == 0 {
				row[name] = []any(nil)
			}
			if t, ok := value.(text); ok {
				row[name] = t.value
			}
			if s, ok := value.(string); ok && strings.HasPrefix(s, "{") {
				row[name] = decode([]byte(s))
			}
		}
		return row
	}
	if len(normal(want)) == len(normal(got)) && cmp.Equal(normal(want), normal(got)) {
		return ""
	}
	return cmp.Diff(plain(normal(want)), plain(normal(got)))
}

// plain returns a value without differences that JSON doesn't show.
func plain(value any) any {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	var again any
	if err := json.Unmarshal(bytes.ReplaceAll(encoded, []byte(":null"), []byte(":[]")), &again); err != nil {
		panic(err)
	}
	return again
}
