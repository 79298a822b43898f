package connector

import "time"

// RecordBatch holds records of one stream, in the order in which to apply them.
type RecordBatch struct {
	Stream     string
	Account    string // empty for the key's own account
	Generation int64  // grows when a stream is read anew from the beginning
	Records    []Record
}

// Record is one version of one object. Its strings are immutable and may share memory with the page they came from.
type Record struct {
	Data      string // the object as compact, valid JSON in UTF-8
	Operation Operation
	AsOf      time.Time // the object was at least this new
	EventID   string    // the event that caused the record; empty if it was listed
	Key       string    // the primary key in words for people ("ch_123"), to name the record in a failure
}

// Operation is what to do with a record.
type Operation int

// The operations.
const (
	Upsert         Operation = iota + 1
	Delete                   // the row with the primary key of Data is gone
	DeleteMatching           // all rows whose fields equal those of Data are gone; those that are still there follow before the next state
)
