package connector

import "encoding/json"

// Catalog lists every stream that a source offers, in a stable order.
type Catalog struct {
	Streams []Stream
}

// Stream is a table that a source offers.
type Stream struct {
	Name             string
	Description      string
	JSONSchema       json.RawMessage // JSON Schema (draft 2020-12) of one record; never sets additionalProperties to false
	PrimaryKey       []string        // paths of the fields that together identify a row
	CursorField      string          // path of the field that the source orders and filters by; may be empty
	SyncModes        []SyncMode
	Freshness        Freshness
	EmitsDeletes     bool
	Parent           string // the stream whose objects contain this stream's objects; may be empty
	ParentField      string // path of the field that holds the parent's key, which DeleteMatching matches; empty without a parent
	Relations        []Relation
	Permission       string // the permission that a restricted key needs, in the source's words
	DocumentationURL string
	Availability     Availability
	Unavailable      *Failure // why, if Availability is Unavailable
}

// Relation says that a field holds a key of another stream.
type Relation struct {
	Field, Stream, ForeignField string
}

// SyncMode is how a stream is read.
type SyncMode int

// The sync modes.
const (
	// FullRefresh reads everything in the configured range. A state with work left is resumed.
	FullRefresh SyncMode = iota + 1
	// Incremental reads everything the first time, then only what changed.
	Incremental
)

// String returns the protocol's name for m.
func (m SyncMode) String() string {
	switch m {
	case FullRefresh:
		return "FULL_REFRESH"
	case Incremental:
		return "INCREMENTAL"
	}
	return "UNSPECIFIED"
}

// Freshness is how a source finds changes to rows that were already read.
type Freshness int

// The kinds of freshness.
const (
	ByEvents   Freshness = iota + 1 // the source announces each change
	ByTrailing                      // the newest rows are re-read
	ByFull                          // everything is re-read
)

// Availability says whether a key can read a stream. The zero value means that this wasn't checked.
type Availability int

// The kinds of availability.
const (
	Available Availability = iota + 1
	Unavailable
	AvailabilityUnknown
)

// ConfiguredStream is a stream to read.
type ConfiguredStream struct {
	Stream   string
	SyncMode SyncMode // zero means FullRefresh
	// Fields are the paths of the fields to send; empty means all that come by default. A source may take "*" for these, besides
	// others that only come if they are named.
	Fields []string
}
