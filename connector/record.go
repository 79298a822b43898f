package connector

import "time"

// RecordBatch holds records of one stream, in the order to apply them.
type RecordBatch struct {
	Stream     string
	Account    string // empty for the key's own account
	Generation int64  // increases each time the stream is read from the beginning
	Records    []Record
}

// Record is one version of one object. Its strings may share memory with the page they were cut from.
type Record struct {
	Data      string // the object as compact, valid JSON in UTF-8
	Operation Operation
	AsOf      time.Time // the object is at least this recent: never later than the source's clock was when it was requested
	EventID   string    // the event that caused the record; empty if the record comes from a list
	EventType string    // the type of that event, such as "charge.updated"
	Last      string    // for Delete: the last known version of the object, in the form of Data; empty if unknown
	Key       string    // the primary key in readable form ("ch_123"), to name the record in a failure

	// What follows is for receivers that keep deleted rows or add columns; others may ignore it.

	// Parent is the object that contains this one, as JSON; empty if there is none or only its key is known.
	Parent string

	// Rows are Delete records of rows that a DeleteMatching is known to remove, unless they are sent again before the next state.
	// AllRows means that it removes no others.
	Rows    []Record
	AllRows bool
}

// Operation says what to do with a record.
type Operation int

// The operations.
const (
	Upsert         Operation = iota + 1
	Delete                   // the row with Data's primary key is gone
	DeleteMatching           // all rows whose fields equal those of Data are gone; those that still exist are sent again before the next state
)
