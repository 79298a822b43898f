package takeover

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/config"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// Airbyte translates the configurations, states and columns of Airbyte's source-stripe (versions 4 to 6).
type Airbyte struct {
	now     func() time.Time
	all     []AirbyteStream
	streams map[string]*AirbyteStream // by our name
	version string                    // the API version of the configuration; set by Config
}

// NewAirbyte returns an Airbyte with the given clock.
func NewAirbyte(now func() time.Time) *Airbyte {
	a := &Airbyte{now: now, version: config.DefaultVersion, all: airbyteStreams(), streams: map[string]*AirbyteStream{}}
	for i := range a.all {
		a.streams[a.all[i].Source] = &a.all[i]
	}
	return a
}

// Streams returns all streams, in the order of the one table.
func (a *Airbyte) Streams() []AirbyteStream { return a.all }

// AirbyteStream is how a stream is named in Airbyte, and how its rows differ from our records.
type AirbyteStream struct {
	Name   string
	Source string   // our name
	Key    []string // nil if rows have none
	Cursor string   // empty if there is none
	// Parent is the stream of source-stripe that the states of a child name as its parent; empty unless its states always do.
	Parent string
	// Copies are columns that repeat other fields of the record.
	Copies []AirbyteCopy
	// FromParent are columns with fields of the parent's object. They are absent if the parent's object isn't available.
	FromParent []AirbyteCopy
	// Created is the field with the cursor of a row that is read for the first time. If it is empty, the cursor is the time of
	// reading. OfParent means that the field is one of the parent's object.
	Created  string
	OfParent bool
	// EndsBy is the value of status of an object that counts as deleted although Stripe still lists it.
	EndsBy string
	// Deletable means that rows can be deleted.
	Deletable bool

	replacesCursor bool // the objects have a field with the name of the cursor
}

// AirbyteCopy is a column with the value of another field.
type AirbyteCopy struct{ Column, Field, Type string }

// Columns returns the columns that are added to the records, with their types in JSON Schema.
func (s *AirbyteStream) Columns() (columns [][2]string) {
	for _, c := range slices.Concat(s.Copies, s.FromParent) {
		columns = append(columns, [2]string{c.Column, c.Type})
	}
	if s.ownsCursor() {
		columns = append(columns, [2]string{s.Cursor, "integer"})
	}
	if s.Deletable {
		columns = append(columns, [2]string{isDeleted, "boolean"})
	}
	return columns
}

const (
	updated   = "updated"
	created   = "created"
	isDeleted = "is_deleted"
)

// ownsCursor reports whether the cursor is a column that is added to the records.
func (s *AirbyteStream) ownsCursor() bool { return s.Cursor != "" && s.Cursor != created }

// different lists the streams of source-stripe 6.1 that differ from ours in more than the columns updated and is_deleted.
func different() []AirbyteStream {
	ofInvoice := []AirbyteCopy{{"invoice_id", "invoice", "string"}}
	ofSession := []AirbyteCopy{{"checkout_session_id", "checkout_session", "string"}}
	return []AirbyteStream{
		{Source: "accounts", Deletable: true},
		{Source: "application_fee_refunds", Name: "application_fees_refunds"},
		{Source: "balance_transactions", Cursor: created},
		{Source: "cards", Name: "customer_cards"}, // cards are Issuing's
		{Source: "checkout_session_line_items", Name: "checkout_sessions_line_items", Key: []string{"id"}, Cursor: "checkout_session_updated", OfParent: true,
			Parent: "checkout_sessions", Copies: ofSession, FromParent: []AirbyteCopy{
				{"checkout_session_created", "created", "integer"}, {"checkout_session_expires_at", "expires_at", "integer"},
			}},
		{Source: "customer_balance_transactions", Cursor: created, Parent: "customers"},
		{Source: "customer_payment_methods", Name: "payment_methods"},
		{Source: "events", Cursor: created},
		{Source: "file_links", Cursor: created},
		{Source: "files", Cursor: created},
		{Source: "invoice_line_items", Key: []string{"id"}, Cursor: "invoice_updated", OfParent: true, Copies: ofInvoice,
			FromParent: []AirbyteCopy{{"invoice_created", "created", "integer"}}},
		{Source: "issuing_authorizations", Name: "authorizations"},
		{Source: "issuing_cardholders", Name: "cardholders"},
		{Source: "issuing_cards", Name: "cards"},
		{Source: "issuing_transactions", Name: "transactions"},
		{Source: "payment_methods", Name: "treasury_payment_methods"}, // payment_methods are those of customers
		{Source: "payout_transactions", Name: "payout_balance_transactions", Key: []string{"id"}, OfParent: true, Parent: "payouts"},
		{Source: "radar_early_fraud_warnings", Name: "early_fraud_warnings"},
		{Source: "setup_attempts", Cursor: created, Parent: "setup_intents"},
		{Source: "shipping_rates", Cursor: created},
		{Source: "subscription_items", Cursor: "subscription_updated", OfParent: true},
		{Source: "subscription_schedules", Name: "subscription_schedule"},
		{Source: "subscriptions", EndsBy: "canceled"},
		{Source: "topups", Name: "top_ups"},
		{Source: "transfer_reversals", Cursor: created, Parent: "transfers"},
		{Source: "usage_record_summaries", Name: "usage_records", Cursor: none, Key: []string{none}},
	}
}

// none stands for a cursor or a key that doesn't exist.
const none = "-"

// airbyteStreams returns the streams of all API versions, in the order of the one table; those of later versions last.
var airbyteStreams = sync.OnceValue(func() []AirbyteStream {
	var all []AirbyteStream
	for _, version := range append([]string{config.DefaultVersion}, schema.Versions()...) {
		rows := streamsOf(version)
		for i := range rows {
			if !slices.ContainsFunc(all, func(s AirbyteStream) bool { return s.Source == rows[i].Name }) {
				all = append(all, airbyteStream(rows, &rows[i]))
			}
		}
	}
	return all
})

// airbyteStream returns a row of the table as a stream of Airbyte.
func airbyteStream(rows table.Table, row *table.Stream) AirbyteStream {
	s := AirbyteStream{Source: row.Name}
	known := different()
	if at := slices.IndexFunc(known, func(k AirbyteStream) bool { return k.Source == row.Name }); at >= 0 {
		s = known[at]
	}
	if s.Name == "" {
		s.Name = row.Name
	}
	switch {
	case s.Key == nil:
		s.Key = row.PrimaryKey()
	case s.Key[0] == none:
		s.Key = nil
	}
	switch s.Cursor {
	case "":
		s.Cursor = updated
	case none:
		s.Cursor = ""
	}
	if row.Cursor == created || row.Cursor == "" {
		s.Created = created
	}
	_, s.replacesCursor = properties(rows, row)[s.Cursor]
	s.replacesCursor = s.replacesCursor && s.ownsCursor()
	s.Deletable = s.Deletable || s.EndsBy != "" || len(row.Deleted) > 0 || rows.Swept(row) && !row.AppendOnly()
	return s
}

// Resume returns a state of ours for a stream that source-stripe has read up to a position.
func (a *Airbyte) Resume(c connector.Config, stream string, fields []string, from time.Time) (json.RawMessage, error) {
	return State(c, stream, fields, from, a.now())
}
