package connector

import (
	"context"
	"encoding/json"
	"time"
)

// Source is a place to read records from. Its methods may be called concurrently; it keeps no data between calls.
type Source interface {
	// Spec describes the source and its configuration.
	Spec() Spec
	// Check reports whether a configuration works. A configuration or key that doesn't work is a result, not an
	// error.
	Check(ctx context.Context, req CheckRequest) (CheckResult, error)
	// Discover lists the streams.
	Discover(ctx context.Context, req DiscoverRequest) (Catalog, error)
	// Read sends the records of the configured streams, with states to resume from, to sink. An error means that the
	// Read did not end normally; failures of single streams are part of the Summary.
	Read(ctx context.Context, req ReadRequest, sink Sink) (Summary, error)
}

// Identifier is a [Source] that can tell accounts apart.
type Identifier interface {
	// Identify returns the same name for all configurations that read one account with one key, and a different name
	// for any other. The name reveals no secret. It is empty if the configuration is invalid.
	Identify(config Config) string
}

// Spec describes a source.
type Spec struct {
	Source           string          // the source's name, such as "stripe"
	ConfigSchema     json.RawMessage // JSON Schema (draft 2020-12) of Config
	DocumentationURL string
	SyncModes        []SyncMode
	Capabilities     []Capability
}

// Capability is an optional feature of Read that a source supports.
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

// CheckResult is the result of a Check. The configuration works if Problems is empty.
type CheckResult struct {
	Problems []*Failure
	Streams  []StreamAvailability
	Account  string // the account's id, if the key can read it

	// AccountAttributes are facts about the account for people to read, such as "mode": "live". Programs must not
	// depend on them.
	AccountAttributes map[string]string
}

// StreamAvailability says whether a key can read a stream.
type StreamAvailability struct {
	Stream       string
	Availability Availability
	Reason       *Failure // why not; nil if available
}

// DiscoverRequest asks for the catalog.
type DiscoverRequest struct {
	Config             Config
	OnlyAvailable      bool // check with the source which streams the key can read, and omit the others
	IncludeUnavailable bool // with OnlyAvailable: keep unavailable streams, marked as such
}

// ReadRequest asks for records. Zero values mean the source's defaults.
type ReadRequest struct {
	Config  Config
	Streams []ConfiguredStream
	States  []StreamState

	Follow         bool
	FollowInterval time.Duration
	From, To       time.Time // half-open range of creation times, in whole seconds; zero means unbounded
	RecordLimit    int64
	SoftDeadline   time.Duration
	NewestFirst    bool
	Reconcile      bool // re-list From to To, compare it with what the events reported, and repair differences

	// KeepsGenerations means that the caller can't remove the rows of earlier generations. A stream that is read from the
	// beginning again therefore also sends the deletions since its state, as far as the source can still find them.
	KeepsGenerations bool

	AcceptedOperations []Operation // operations that the caller can apply; empty means all. Other records are counted but not sent

	CheckpointInterval time.Duration // longest time between two states of a stream while it has records
	CheckpointPages    int           // most pages between two states of a stream

	Drain <-chan struct{} // closed to end the Read at its next checkpoint, with HasMore; nil means never
}
