package airbyte

import (
	"encoding/json"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// Dialect translates the configurations, states and columns of an existing Airbyte connector. Its methods use the source's names
// for streams.
type Dialect interface {
	// ConfigSchema returns the JSON Schema (draft-07) of the configuration.
	ConfigSchema() json.RawMessage
	// Config translates a configuration into that of the source. account is the account that states name; empty for the
	// credentials' own. The notes are for the user. The error is a *connector.Failure that names every invalid field.
	Config(given json.RawMessage) (c connector.Config, account string, notes []string, err error)

	// Fields returns the fields to request from the source for the selected columns of a stream; nil means all.
	Fields(stream string, columns []string) []string
	// AppendRow appends a record as a row: its data with the columns that the existing connector adds. cursor is the time of
	// this version in Unix seconds. first means that the stream is being read for the first time, so that there is no
	// earlier version of the row.
	AppendRow(dst []byte, stream string, r *connector.Record, cursor int64, first bool) []byte

	// Position returns the time up to which the existing connector has sent the changes of a stream, as its state says, or
	// zero if the state is empty. The error says what is wrong with the state.
	Position(stream string, state json.RawMessage) (time.Time, error)
	// Resume returns a state of the source that continues from a position.
	Resume(c connector.Config, stream string, fields []string, from time.Time) (json.RawMessage, error)
	// State returns a state, a JSON object, from which the existing connector can continue a stream. It returns nil if the
	// connector can't resume the stream.
	State(stream string, until time.Time) json.RawMessage
}

// Stream is how a stream of the source is offered to Airbyte.
type Stream struct {
	Name    string   // in Airbyte's catalog
	Source  string   // the source's name for it
	Key     []string // the primary key; nil means that rows have none
	Cursor  string   // the column that grows with each version of a row; empty if there is none
	Columns []Column // the columns that AppendRow adds
}

// Column is a column that is added to the source's records.
type Column struct {
	Name string
	Type string // a JSON Schema type
}
