package connector

import (
	"context"
	"encoding/json"
	"time"
)

// Source is a place that records are read from. Its methods may run at once; nothing is kept between calls.
type Source interface {
	// Spec tells which configuration the source takes.
	Spec() Spec
	// Check tells whether a configuration works. A configuration or key that does not work is a result, not an error.
	Check(ctx context.Context, req CheckRequest) (CheckResult, error)
	// Discover lists the streams.
	Discover(ctx context.Context, req DiscoverRequest) (Catalog, error)
	// Read sends the records of the configured streams and states to resume from, and returns the report. An error
	// means that the Read did not come to an orderly end; failures of single streams are in the report.
	Read(ctx context.Context, req ReadRequest, sink Sink) (Summary, error)
}

// Identifier is a [Source] that can tell accounts apart.
type Identifier interface {
	// Identify gives the same name for all configurations that read one account by one key, and another for any other.
	// Nothing secret can be told from it. It is empty if the configuration is no good.
	Identify(config Config) string
}

// Spec is what a source tells about itself.
type Spec struct {
	Source           string          // the source's name, such as "stripe"
	ConfigSchema     json.RawMessage // JSON Schema, draft 2020-12, of Config
	DocumentationURL string
	SyncModes        []SyncMode
	Capabilities     []Capability
}

// Capability is an optional part of Read that a source honours.
type Capability int

// The capabilities, as the protocol names them.
const (
	FieldSelection Capability = iota + 1
	Follow
	TimeRangeLimit
	RecordLimit
	SoftDeadline
	PriorityOrder
	Reconcile
	Checkpoints
)

// CheckRequest asks whether a configuration works.
type CheckRequest struct {
	Config  Config
	Streams []string // the streams to probe; empty means all
}

// CheckResult is the answer. It is good if Problems is empty.
type CheckResult struct {
	Problems []*Failure
	Streams  []StreamAvailability
	Account  string // the account's id, if the key may read it

	// AccountAttributes are facts about the account for people to read, such as "mode": "live". Nothing may depend on them.
	AccountAttributes map[string]string
}

// StreamAvailability tells whether a key may read a stream.
type StreamAvailability struct {
	Stream       string
	Availability Availability
	Reason       *Failure // nil if available
}

// DiscoverRequest asks for the catalog.
type DiscoverRequest struct {
	Config             Config
	OnlyAvailable      bool // ask the source what the key may read
	IncludeUnavailable bool // with OnlyAvailable: mark rather than leave out
}

// ReadRequest asks for records. Zero values mean the source's defaults.
type ReadRequest struct {
	Config  Config
	Streams []ConfiguredStream
	States  []StreamState

	Follow         bool
	FollowInterval time.Duration
	From, To       time.Time // half-open range of creation, whole seconds; zero means unbounded
	RecordLimit    int64
	SoftDeadline   time.Duration
	NewestFirst    bool
	Reconcile      bool // compare From to To with what events told, and repair it

	AcceptedOperations []Operation // what the caller can apply; empty means all. Other records are counted, not sent

	CheckpointInterval time.Duration // the longest time between two states of a stream whose records flow
	CheckpointPages    int           // the most pages between two states of a stream

	Drain <-chan struct{} // closed when the Read is to end soon, at its next checkpoint, with HasMore; nil means never
}
