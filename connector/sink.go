package connector

import (
	"context"
	"encoding/json"
	"time"
)

// Sink takes the messages of one Read, in order.
//
// Send blocks while the receiver is slow; that is all the back-pressure there is. It does not keep the message after it
// returned. A Source calls it from one goroutine at a time and ends the Read with its error, except for a [Failure] of
// class [SourceData]: the batch has a record that cannot be carried, and nothing of the batch was sent. The source then
// sends the other records and sets that one aside ([SetAside]), or ends its stream.
type Sink interface {
	Send(ctx context.Context, m Message) error
}

// Message is what a Sink takes: *RecordBatch, *StateCheckpoint, *StreamStatus, *Progress or *LogEntry.
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
	Watermark time.Time // changes are applied up to here; zero if unknown. For metrics and logs; it is not sent
}

// StreamStatus tells what became of a stream.
type StreamStatus struct {
	Stream, Account string
	Status          Status
	Failure         *Failure
	Generation      int64
}

// Status is what became of a stream in a Read.
type Status int

// The statuses. A stream goes from Started over Running to Complete or Incomplete, or is Skipped.
const (
	Started Status = iota + 1
	Running
	Complete
	Incomplete
	Skipped
)

// String gives the protocol's word for s.
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

// Progress is a heartbeat. Counts are of this Read so far.
type Progress struct {
	Records          int64
	Requests         int64
	Retries          int64
	Fraction         float64   // of the requested history, 0 to 1; an estimate
	WaitingUntil     time.Time // zero if the Read does not wait
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

// LogEntry is something worth telling a person. It never holds a secret or a customer's data.
type LogEntry struct {
	Level           LogLevel
	Message         string
	Stream, Account string
}

// LogLevel is how much a log entry matters.
type LogLevel int

// The log levels.
const (
	Info LogLevel = iota + 1
	Warning
	Error
)

// Summary is the report of a Read that came to an orderly end.
type Summary struct {
	Streams  []StreamSummary
	Requests int64
	Retries  int64
	Waited   time.Duration // added up over all that waited
	Duration time.Duration
	HasMore  bool // another Read with the final states has work left to do
}

// StreamSummary is the report of one stream.
type StreamSummary struct {
	Stream, Account string
	Status          Status // Complete, Incomplete or Skipped
	Failure         *Failure
	Upserts         int64
	Deletes         int64 // records with Delete
	DeletesMatching int64 // records with DeleteMatching
	Withheld        int64 // records that were not sent, since the caller does not accept their operation
	Bytes           int64 // of JSON in the records
	Generation      int64
	State           json.RawMessage
	Watermark       time.Time       // changes are applied up to here; zero if unknown
	Reconciliation  *Reconciliation // with ReadRequest.Reconcile; nil if it came to no end
	SetAside        []SetAside      // what could not be read and is missing, or stale, at the receiver; at most MaxSetAside
	SetAsideTotal   int64           // how many that are, named or not
}

// MaxSetAside is the most objects of one stream that a summary names.
const MaxSetAside = 20

// SetAside names what could not be read, or not be carried: an object, the children of an object, or the objects of some
// seconds. Its stream goes on without it and can be COMPLETE; the state remembers it, and later Reads try it again, less and
// less often, until it can be read or is gone.
type SetAside struct {
	Key      string    // "ch_123", "lines of in_123" or "charges created at 2024-01-31T00:00:00Z"
	Failure  *Failure  // why, the last time it was tried
	Since    time.Time // when it was set aside
	Attempts int64     // how often it was tried
}

// Reconciliation counts the differences between a re-listed range and what was sent before, as far as events tell that.
// Whatever differs is sent.
type Reconciliation struct {
	Listed  int64 // objects
	Missing int64 // objects that had not been sent
	Stale   int64 // objects that had been sent in another version
	Extra   int64 // objects that had been sent and are there no more
}
