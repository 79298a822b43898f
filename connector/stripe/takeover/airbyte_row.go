package takeover

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// AppendRow appends a record with the columns that source-stripe adds. cursor is the time of this version in Unix seconds.
// In the first version of an object, the cursor column has the time of creation, as in source-stripe. All later versions have
// greater values.
func (a *Airbyte) AppendRow(dst []byte, stream string, r *connector.Record, cursor int64, first bool) []byte {
	s := a.streams[stream]
	data, deleted := r.Data, r.Operation == connector.Delete
	if deleted && r.Last != "" {
		data = r.Last
	}
	if s.EndsBy != "" && !deleted {
		status, _ := rawjson.Lookup(data, "status")
		deleted = rawjson.String(status) == s.EndsBy
	}
	if first && !deleted {
		cursor = s.firstCursor(data, r.Parent, cursor)
	}
	row := rowOf(dst, data)
	for _, c := range s.Copies {
		if value, ok := rawjson.Lookup(data, c.Field); ok {
			row = row.with(c.Column, value)
		}
	}
	for _, c := range s.FromParent {
		if value, ok := rawjson.Lookup(r.Parent, c.Field); ok {
			row = row.with(c.Column, value)
		}
	}
	switch {
	case s.replacesCursor:
		row = rowOf(dst, rawjson.WithMember(data, s.Cursor, strconv.FormatInt(cursor, 10)))
	case s.ownsCursor(), s.Cursor == created && deleted && r.Last == "":
		row = row.withInt(s.Cursor, cursor)
	}
	if deleted {
		row = row.with(isDeleted, "true")
	}
	return append(row, '}')
}

// firstCursor returns the cursor of an object that is read for the first time: its own, or when it or its parent was created.
// If none of these is known, firstCursor returns at.
func (s *AirbyteStream) firstCursor(data, parent string, at int64) int64 {
	if s.replacesCursor {
		value, _ := rawjson.Lookup(data, s.Cursor)
		if own := rawjson.Int(value); own > 0 {
			return own
		}
	}
	of, field := data, s.Created
	if s.OfParent {
		of, field = parent, created
	}
	if field == "" {
		return at
	}
	value, _ := rawjson.Lookup(of, field)
	if own := rawjson.Int(value); own > 0 {
		return own
	}
	return at
}

// row is a JSON object without its closing brace.
type row []byte

func rowOf(dst []byte, data string) row { return append(dst, data[:len(data)-1]...) }

func (r row) with(column, value string) row {
	r = append(append(r, ','), '"')
	r = append(append(r, column...), '"', ':')
	return append(r, value...)
}

func (r row) withInt(column string, value int64) row {
	r = append(append(r, ','), '"')
	r = append(append(r, column...), '"', ':')
	return strconv.AppendInt(r, value, 10)
}

// property is what field selection needs to know about a property of a schema.
type property struct {
	Includable string `json:"x-includable"`
}

// properties returns the properties of the records of a stream, which need not be complete.
func properties(streams table.Table, row *table.Stream) map[string]property {
	var s struct {
		Properties map[string]property `json:"properties"`
	}
	_ = json.Unmarshal(streams.Shape(row).JSON, &s) // generated, and tested
	return s.Properties
}

// Fields returns the fields to select for columns. Columns that Stripe includes only on request are omitted: they would
// cost a request for each change.
func (a *Airbyte) Fields(stream string, columns []string) []string {
	streams := streamsOf(a.version) // none if it is the account's, which isn't known here
	row, s := streams.Find(stream), a.streams[stream]
	if row == nil {
		return nil
	}
	var fields []string
	all := true
	for name, p := range properties(streams, row) {
		switch selected := slices.Contains(columns, name); {
		case p.Includable != "" && p.Includable != table.IncludedByDefault:
		case selected, name == s.Created, name == "status" && s.EndsBy != "", name == s.Cursor:
			fields = append(fields, name)
		default:
			all = false
		}
	}
	if all {
		return nil
	}
	if parent := row.ParentRef(); parent != "" {
		fields = append(fields, parent)
	}
	fields = append(fields, row.PrimaryKey()...)
	slices.Sort(fields)
	return slices.Compact(fields)
}
