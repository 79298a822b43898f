package takeover

import (
	_ "embed"
	"slices"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// Singer takes over from Singer's tap-stripe: it reads the tap's configuration and state, and converts records to the shape of the
// tap's tables. It is for one run and not safe for concurrent use.
type Singer struct {
	settings settings
	table    table.Table
	now      clock.Second // by the local clock
	streams  []*singerStream

	state singerState
}

// singerText describes the streams of tap-stripe 3.3: their keys, bookmarks, columns, and the times and decimals in nested
// objects. It includes columns that Stripe's OpenAPI document lacks, because tables have them.
//
//go:embed singer.txt
var singerText string

// singerStream is a stream of the tap, or one of ours that the tap lacks.
type singerStream struct {
	name     string // the tap's
	row      *table.Stream
	key      []string // in the tap's order
	tapped   bool     // the tap has it
	bookmark string   // the name of the bookmark that says how far lists were read
	updates  bool     // the tap has a bookmark for its events
	parent   string
	deleted  string // the event type of deletions

	replication []string
	columns     []singerColumn
	nested      []singerColumn // in objects and arrays; names are paths
}

// singerColumn is a column and its type: names of JSON Schema's types, or time, decimal or ids, separated by "|".
type singerColumn struct{ name, kind string }

// columnUpdated and columnEventType are the columns that the tap adds to objects.
const (
	columnUpdated   = "updated"
	columnEventType = "updated_by_event_type"
)

// singerStreams returns the tap's streams, then ours that it lacks.
func singerStreams(t table.Table) []*singerStream {
	var all []*singerStream
	var s *singerStream
	for line := range strings.Lines(singerText) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "key":
			s.key = words[1:]
		case "replication":
			s.replication = words[1:]
		case "bookmark":
			s.bookmark = words[1]
		case "updates":
			s.updates = true
		case "parent":
			s.parent = words[1]
		case "deleted":
			s.deleted = words[1]
		case "column":
			s.columns = append(s.columns, singerColumn{words[1], words[2]})
		case "nested":
			s.nested = append(s.nested, singerColumn{words[1], words[2]})
		default: // NAME from OUR NAME
			s = &singerStream{name: words[0], row: t.Find(words[2]), tapped: true}
			all = append(all, s)
		}
	}
	for i := range t {
		row := &t[i]
		if slices.ContainsFunc(all, func(s *singerStream) bool { return s.row == row }) {
			continue
		}
		all = append(all, &singerStream{name: row.Name, row: row, key: row.PrimaryKey(), deleted: deletionType(row)})
	}
	return all
}

// deletionType returns an event type that says that an object of the stream is gone.
func deletionType(row *table.Stream) string {
	if len(row.Deleted) > 0 {
		return row.Deleted[0]
	}
	return row.Object + ".deleted"
}

// source returns the name of the member of an object that a column holds.
func (s *singerStream) source(column string) string {
	if s.name == "payout_transactions" && column == "payout_id" {
		return "payout"
	}
	return column
}

// has reports whether the tap's table has a column.
func (s *singerStream) has(column string) bool {
	return slices.ContainsFunc(s.columns, func(c singerColumn) bool { return c.name == column })
}

// added reports whether the records of the stream have a column that isn't in Stripe's objects. Children of the tap have none.
func (s *singerStream) added(column string) bool { return !s.tapped || s.has(column) }

// SingerStream is a stream as a catalog shows it.
type SingerStream struct {
	Name        string // the tap's
	Source      string // ours
	Key         []string
	Replication []string // the columns that order the records
	Default     bool     // the tap has the stream
	// Columns returns the JSON Schema (draft 4) of a record with all columns, and reports for each whether the tap has it.
	Columns func() (schema []byte, isDefault map[string]bool)
	// Shape returns how to read the stream with the selected columns. The keys of selected are columns and paths in nested
	// objects, such as "source.owner"; the values say whether they are selected. Columns that aren't in it are included if the
	// tap has them. fields are what to request from the source, and schema is the JSON Schema of the rows.
	Shape func(selected map[string]bool) (fields []string, schema []byte, row RowFunc)
}

// RowFunc appends the row of a record, as a JSON object, to dst. misfit names a column whose value didn't fit its type and
// became null; it is empty if all fit. The error is a *connector.Failure of class SourceData: the row has no key. It must not
// be called concurrently.
type RowFunc = func(dst []byte, r *connector.Record) (row []byte, misfit string, err error)

// Streams returns the streams, those of the tap first.
func (s *Singer) Streams() []SingerStream {
	all := make([]SingerStream, len(s.streams))
	for i, stream := range s.streams {
		all[i] = SingerStream{
			Name: stream.name, Source: stream.row.Name, Key: stream.key, Replication: stream.replication, Default: stream.tapped,
			Columns: func() ([]byte, map[string]bool) { return s.columns(stream) },
			Shape:   func(selected map[string]bool) ([]string, []byte, RowFunc) { return s.shape(stream, selected) },
		}
	}
	return all
}

// find returns the stream with a name of the tap, or nil.
func (s *Singer) find(name string) *singerStream {
	i := slices.IndexFunc(s.streams, func(stream *singerStream) bool { return stream.name == name })
	if i < 0 {
		return nil
	}
	return s.streams[i]
}
