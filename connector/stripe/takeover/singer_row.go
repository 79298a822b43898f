package takeover

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// describe returns the shape of a stream with all columns, and the source's schema.
func (s *Singer) describe(stream *singerStream) (*shape, *described) {
	known := parseDescribed(s.table.Shape(stream.row).JSON)
	all := &shape{kinds: anObject, closed: true}
	further := converter{times: true}
	for name, p := range known.Properties {
		if !stream.has(name) {
			all.add(&field{name: name, shape: further.shape(p)})
		}
	}
	ours := converter{}
	for _, c := range stream.columns {
		name := stream.source(c.name)
		f := &field{name: name, shape: columnShape(c.kind, ours.shape(known.Properties[name]))}
		if name != c.name {
			f.column = []byte(rawjson.Quote(c.name))
		}
		all.add(f)
	}
	for _, n := range stream.nested {
		*all.at(n.name) = *columnShape(n.kind, nil)
	}
	for _, name := range []string{columnUpdated, columnEventType} {
		if stream.added(name) {
			all.add(&field{name: name, shape: columnShape(map[string]string{columnUpdated: "time", columnEventType: "string"}[name], nil)})
		}
	}
	if data := all.named["data"]; stream.row.Name == "events" && data != nil && len(s.settings.eventData) > 0 {
		data.shape.only = rawjson.Select(s.settings.eventData...)
	}
	return all, known
}

// columnShape returns the shape of a column of the tap. ours is what the source's schema says about it, or nil.
func columnShape(kind string, ours *shape) *shape {
	names := strings.Split(kind, "|")
	s := &shape{kinds: kindsOf(names...)}
	switch names[0] {
	case "time":
		return &shape{kinds: aString, format: asTime}
	case "decimal":
		return &shape{kinds: aString, format: asDecimal}
	case "string":
		s.format = asText
		return s
	case "ids":
		s.format, s.items = asIDs, &shape{kinds: aString}
		return s
	}
	if ours == nil {
		return s
	}
	if s.kinds&anObject != 0 {
		s.named = ours.named
	}
	if s.kinds&anArray != 0 {
		s.items = ours.items
	}
	return s
}

// columns returns the schema with all columns, and reports for each whether the tap has it.
func (s *Singer) columns(stream *singerStream) ([]byte, map[string]bool) {
	all, _ := s.describe(stream)
	schema := all.schema()
	isDefault := map[string]bool{}
	for name := range schema.Properties {
		isDefault[name] = !stream.tapped || stream.has(name)
	}
	return schema.text(), isDefault
}

// shape returns how to read a stream with the selected columns. See [SingerStream].
func (s *Singer) shape(stream *singerStream, selected map[string]bool) ([]string, []byte, RowFunc) {
	all, known := s.describe(stream)
	r := &rows{stream: stream, shape: all}
	for name := range maps.Clone(all.named) {
		column := name
		if f := all.named[name]; f.column != nil {
			column = rawjson.String(string(f.column))
		}
		chosen, said := selected[column]
		switch byDefault := !stream.tapped || stream.has(column); {
		case slices.Contains(stream.key, column):
			all.named[name].key = true
		case said && chosen, !said && byDefault:
		case byDefault:
			all.named[name].drop = true // the schema still declares it
		default:
			delete(all.named, name)
		}
	}
	for path, chosen := range selected {
		if names := strings.Split(path, "."); len(names) > 1 && !chosen {
			all.dropAt(names)
		}
	}
	for _, name := range []string{columnUpdated, columnEventType} {
		f := all.named[name]
		if !stream.added(name) {
			continue
		}
		r.updated = r.updated || name == columnUpdated && f != nil && !f.drop
		r.eventType = r.eventType || name == columnEventType && f != nil && !f.drop
	}
	schema := all.schema().text()
	for _, name := range []string{columnUpdated, columnEventType} {
		if stream.added(name) {
			delete(all.named, name) // whatever the object has under this name
		}
	}
	all.order()
	return fields(all, known), schema, r.append
}

// fields returns the fields to request: all default fields, and the columns that Stripe includes only on request.
func fields(all *shape, known *described) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(all.named)) {
		if p := known.Properties[name]; p != nil && p.Includable != "" && !all.named[name].drop {
			names = append(names, name)
		}
	}
	if names == nil {
		return nil
	}
	return append([]string{"*"}, names...)
}

// rows makes the rows of a stream.
type rows struct {
	stream             *singerStream
	shape              *shape
	updated, eventType bool // the rows have these columns

	asOf     time.Time
	asOfText []byte // asOf as the tap writes times
}

// append is a [RowFunc].
func (r *rows) append(dst []byte, record *connector.Record) (row []byte, misfit string, err error) {
	data := record.Data
	if record.Operation == connector.Delete && strings.HasPrefix(record.Last, "{") {
		data = record.Last
	}
	begin := len(dst)
	w := shaper{text: data, dst: dst}
	end := w.object(r.shape, 0)
	if w.keys < len(r.stream.key) {
		return dst, "", &connector.Failure{
			Class: connector.SourceData, Stream: r.stream.row.Name,
			Message: fmt.Sprintf("The object %s of stream %s lacks the table's key (%s).", record.Key, r.stream.name, strings.Join(r.stream.key, ", ")),
		}
	}
	w.flush(end - 1)
	dst = w.dst
	if w.misfit {
		misfit = r.misfit(data)
	}
	if r.updated {
		dst = append(r.name(dst, begin, `"updated":`), r.time(record.AsOf)...)
	}
	if r.eventType {
		dst = r.name(dst, begin, `"updated_by_event_type":`)
		switch kind := record.EventType; {
		case record.Operation == connector.Delete && !strings.HasSuffix(kind, ".deleted"):
			dst = append(dst, rawjson.Quote(r.stream.deleted)...)
		case kind == "", record.Operation != connector.Delete && r.isOfOther(kind):
			dst = append(dst, "null"...)
		default:
			dst = append(dst, rawjson.Quote(kind)...)
		}
	}
	return append(dst, '}'), misfit, nil
}

// isOfOther reports whether an event says that another object was deleted, which the row's object shows in a column. Those who load
// the rows would take it for a deletion of the row.
func (r *rows) isOfOther(kind string) bool {
	return strings.HasSuffix(kind, ".deleted") && r.stream.row.Parent == "" && !r.stream.row.Announces(kind)
}

// name appends the name of the next member of the object that begins at an index.
func (*rows) name(dst []byte, begin int, name string) []byte {
	if len(dst) > begin+1 {
		dst = append(dst, ',')
	}
	return append(dst, name...)
}

// time returns t as the tap writes times. All records of a page have the same time.
func (r *rows) time(t time.Time) []byte {
	if !t.Equal(r.asOf) || r.asOfText == nil {
		r.asOf, r.asOfText = t, t.UTC().AppendFormat(nil, timeLayout)
	}
	return r.asOfText
}

// misfit returns the first column with a value that doesn't fit.
func (r *rows) misfit(data string) string {
	for name, value := range rawjson.Members(data) {
		f := r.shape.named[name]
		if f == nil || f.drop {
			continue
		}
		if _, misfit := shapeValue(nil, f.shape, value); misfit {
			return name
		}
	}
	return ""
}
