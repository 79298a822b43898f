package connector

import "encoding/json"

// Catalog is every stream that a source offers, in a stable order.
type Catalog struct {
	Streams []Stream
}

// Stream is a table that a source offers.
type Stream struct {
	Name             string
	Description      string
	JSONSchema       json.RawMessage // draft 2020-12, of one record; never closed
	PrimaryKey       []string        // paths of the fields that together identify a row
	CursorField      string          // path of the field by which the source orders and filters; may be empty
	SyncModes        []SyncMode
	Freshness        Freshness
	EmitsDeletes     bool
	Parent           string // the stream whose objects carry this one's; may be empty
	ParentField      string // path of the field with the parent's key, which DeleteMatching matches; empty without a parent
	Relations        []Relation
	Permission       string // what a restricted key needs, in the source's words
	DocumentationURL string
	Availability     Availability
	Unavailable      *Failure // why not, if Availability is Unavailable
}

// Relation says that a field holds a key of another stream.
type Relation struct {
	Field, Stream, ForeignField string
}

// SyncMode is how a stream is read.
type SyncMode int

// The sync modes.
const (
	// FullRefresh reads everything in the configured range; a state with work left is resumed.
	FullRefresh SyncMode = iota + 1
	// Incremental reads everything at first, then only what changed.
	Incremental
)

// String gives the protocol's word for m.
func (m SyncMode) String() string {
	switch m {
	case FullRefresh:
		return "FULL_REFRESH"
	case Incremental:
		return "INCREMENTAL"
	}
	return "UNSPECIFIED"
}

// Freshness is how changes of rows that were already read come through.
type Freshness int

// The kinds of freshness.
const (
	ByEvents   Freshness = iota + 1 // the source tells of each change
	ByTrailing                      // the newest rows are read again
	ByFull                          // everything is read again
)

// Availability tells whether a key may read a stream. The zero value means that nobody asked.
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
	Fields   []string // paths of the fields to send; empty means all
}
