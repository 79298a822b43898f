package connector

import (
	"context"
	"encoding/json"
	"time"
)

// Sink receives the messages of one Read, in order.
//
// Send blocks while the receiver is slow; this is the only back-pressure. It doesn't retain the message after it
// returns. A Source calls Send from one goroutine at a time and ends the Read if Send returns an error, with one
// exception: a [Failure] of class [SourceData] means that the batch contains a record that can't be carried and that
// no part of the batch was sent. The source then sends the other records and sets that one aside ([SetAside]), or
// ends its stream.
type Sink interface {
	Send(ctx context.Context, m Message) error
}

// Message is a message of a Read: *RecordBatch, *StateCheckpoint, *StreamStatus, *Progress or *LogEntry.
type Message interface{ message() }

func (*RecordBatch) message()     {}
func (*StateCheckpoint) message() {}
func (*StreamStatus) message()    {}
func (*Progress) message()        {}
func (*LogEntry) message()        {}

// StateCheckpoint is a state that covers every record of its stream sent before it.
type StateCheckpoint struct {
	StreamState
	Records   int64     // records of the stream since its previous state in this Read
	Watermark time.Time // changes up to this time are applied; zero if unknown. For metrics and logs: it isn't sent
}

// StreamStatus reports a new status of a stream.
type StreamStatus struct {
	Stream, Account string
	Status          Status
	Failure         *Failure
	Generation      int64
}

// Status is the status of a stream in a Read.
type Status int

// The statuses. A stream goes from Started through Running to Complete or Incomplete, or it is Skipped.
const (
	Started Status = iota + 1
	Running
	Complete
	Incomplete
	Skipped
)

// String returns the protocol's name for s.
func (s Status) String() string {
	switch s {
	case Started:
		return "STARTED"
	case Running:
		return "RUNNING"
	case Complete:
		return "COMPLETE"
	case Incomplete:
		return "INCOMPLETE"
	case Skipped:
		return "SKIPPED"
	}
	return "UNSPECIFIED"
}

// Progress is a heartbeat. Its counts cover this Read so far.
type Progress struct {
	Records          int64
	Requests         int64
	Retries          int64
	Fraction         float64   // the part of the requested history that is covered, 0 to 1; an estimate
	WaitingUntil     time.Time // zero if the Read isn't waiting
	RecordsPerSecond float64
	TimeLeft         time.Duration // an estimate; zero if unknown
	Streams          []StreamProgress
}

// StreamProgress is the progress of one stream.
type StreamProgress struct {
	Stream, Account string
	Records         int64
	Fraction        float64
}

// LogEntry is a message for people. It never contains secrets or customer data.
type LogEntry struct {
	Level           LogLevel
	Message         string
	Stream, Account string
}

// LogLevel is the severity of a log entry.
type LogLevel int

// The log levels.
const (
	Info LogLevel = iota + 1
	Warning
	Error
)

// Summary is the report of a Read that ended normally.
type Summary struct {
	Streams  []StreamSummary
	Requests int64
	Retries  int64
	Waited   time.Duration // total over all requests that waited
	Duration time.Duration
	HasMore  bool // another Read from the final states has work left to do
}

// StreamSummary is the report of one stream.
type StreamSummary struct {
	Stream, Account string
	Status          Status // Complete, Incomplete or Skipped
	Failure         *Failure
	Upserts         int64
	Deletes         int64 // records with Delete
	DeletesMatching int64 // records with DeleteMatching
	Withheld        int64 // records not sent because the caller doesn't accept their operation
	Bytes           int64 // size of the records' JSON
	Generation      int64
	State           json.RawMessage
	Watermark       time.Time       // changes up to this time are applied; zero if unknown
	Reconciliation  *Reconciliation // set with ReadRequest.Reconcile; nil if the comparison did not finish
	SetAside        []SetAside      // objects that couldn't be read and are missing or stale at the receiver; at most MaxSetAside
	SetAsideTotal   int64           // number of objects set aside, listed or not
	Drift           *Drift          // how the records differ from the schema; nil if none was examined
}

// MaxDrift is the largest number of new fields, and of absent ones, that a Drift names.
const MaxDrift = 50

// Drift is how the records of a stream differ from its schema. It names fields and never contains their values.
type Drift struct {
	Examined int64      // number of records examined, which may be a sample
	New      []NewField // fields that the schema doesn't describe, sorted by path; at most MaxDrift
	Absent   []string   // fields at the top of the schema that no examined record has, sorted; at most MaxDrift. Ignore them if Examined is small
}

// NewField is a field that a schema doesn't describe.
type NewField struct {
	Path    string // names joined by dots, with [] after the name of an array whose items have the field
	Records int64  // number of examined records that have it
}

// MaxSetAside is the largest number of set-aside objects that the summary of a stream lists.
const MaxSetAside = 20

// SetAside names something that couldn't be read or carried: an object, the children of an object, or the objects
// created in certain seconds. Its stream continues without it and can be Complete. The state remembers it, and later
// Reads retry it, less and less often, until it can be read or is gone.
type SetAside struct {
	Key      string    // "ch_123", "lines of in_123" or "charges created at 2024-01-31T00:00:00Z"
	Failure  *Failure  // the error of the last attempt
	Since    time.Time // when it was set aside
	Attempts int64     // number of attempts
}

// Reconciliation counts the differences between a re-listed range and what was sent before, which is inferred from
// events. Every difference is also sent.
type Reconciliation struct {
	Listed  int64 // objects
	Missing int64 // objects that hadn't been sent
	Stale   int64 // objects that had been sent in another version
	Extra   int64 // objects that had been sent and no longer exist
}
