package rows

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Splitter cuts records into columns. Members are found by a walk over the record's top level; nothing is decoded that is
// not stored, and strings without escapes are parts of the record. Its zero value is ready.
type Splitter struct {
	decoder jsontext.Decoder
	buffer  bytes.Buffer
	extra   []byte
}

// Values makes room for the values of a row: those of the table's columns, then what is ours.
func (t *Table) Values() []any { return make([]any, len(t.Columns)+OwnValues) }

// Split fills values with those of a record. Every key of the table is set, or the record is refused.
func (s *Splitter) Split(t *Table, batch *connectorv1.RecordBatch, record *connectorv1.Record, values []any) error {
	misfit, err := s.fill(t, record, values)
	if err != nil {
		return err
	}
	for i, c := range t.Columns[:t.Keys] {
		if values[i] == nil {
			if misfit == c.Path {
				return fmt.Errorf("record of %s has a value of its key %q that a column of kind %s cannot hold: "+
					"this is a bug in the service, please report it", t.Stream, c.Path, c.Kind)
			}
			return fmt.Errorf("record of %s has no value of its key %q: this is a bug in the service, please report it",
				t.Stream, c.Path)
		}
	}
	own := values[len(t.Columns):]
	own[AccountAt], own[GenerationAt] = batch.GetAccount(), batch.GetGeneration()
	if at := record.GetAsOf(); at != nil {
		own[AsOfAt] = at.AsTime()
	}
	if id := record.GetEventId(); id != "" {
		own[EventIDAt] = id
	}
	if len(s.extra) > 0 {
		own[ExtraAt] = string(append(s.extra, '}'))
	}
	return nil
}

// Match gives what a DELETE_MATCHING asks for: the places of columns, and the values that rows must have there to be gone.
func (s *Splitter) Match(t *Table, record *connectorv1.Record) (columns []int, values []any, err error) {
	all := t.Values()
	if _, err := s.fill(t, record, all); err != nil {
		return nil, nil, err
	}
	for i := range t.Columns {
		if all[i] != nil {
			columns, values = append(columns, i), append(values, all[i])
		}
	}
	if len(s.extra) > 0 || len(columns) == 0 {
		return nil, nil, fmt.Errorf("the source asks to remove rows of %s by a field that has no column: "+
			"select more fields of the stream, or all", t.Stream)
	}
	return columns, values, nil
}

// fill sets the values of the columns that a record has, and gathers the rest in extra. It tells of a key that its column
// cannot hold.
func (s *Splitter) fill(t *Table, record *connectorv1.Record, values []any) (misfit string, err error) {
	clear(values)
	s.extra = s.extra[:0]
	err = s.members(record.GetData(), func(name, raw string) {
		for _, i := range t.nested[name] {
			values[i] = nestedKey(t.Columns[i], raw)
		}
		if i, ok := t.member[name]; ok {
			if stored, fits := t.Columns[i].Kind.value(raw); fits {
				values[i] = stored
				return
			}
			if i < t.Keys {
				misfit = name
			}
		}
		s.addExtra(name, raw)
	})
	if err != nil {
		return "", fmt.Errorf("record of %s is not a JSON object: %w", t.Stream, err)
	}
	return misfit, nil
}

// members calls visit with the name and the JSON of each member of an object.
func (s *Splitter) members(object string, visit func(name, raw string)) error {
	s.buffer.Reset()
	s.buffer.WriteString(object)
	d := &s.decoder
	d.Reset(&s.buffer, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if token, err := d.ReadToken(); err != nil {
		return err
	} else if token.Kind() != '{' {
		return errors.New("it is another value")
	}
	last := func() (string, error) {
		v, err := d.ReadValue()
		end := int(d.InputOffset())
		return object[end-len(v) : end], err
	}
	for d.PeekKind() != '}' {
		name, err := last()
		if err != nil {
			return err
		}
		raw, err := last()
		if err != nil {
			return err
		}
		visit(unquote(name), raw)
	}
	return nil
}

// addExtra notes a member that has no column.
func (s *Splitter) addExtra(name, raw string) {
	separator := byte(',')
	if len(s.extra) == 0 {
		separator = '{'
	}
	s.extra, _ = jsontext.AppendQuote(append(s.extra, separator), name)
	s.extra = append(append(s.extra, ':'), raw...)
}

// nestedKey finds the value of a key whose path goes below the top level; nil if it is not there.
func nestedKey(c Column, raw string) any {
	var inner Splitter
	for _, part := range strings.Split(c.Path, ".")[1:] {
		found := ""
		if err := inner.members(raw, func(name, value string) {
			if name == part {
				found = value
			}
		}); err != nil || found == "" {
			return nil
		}
		raw = found
	}
	stored, fits := c.Kind.value(raw)
	if !fits {
		return nil
	}
	return stored
}

// AppendKey appends what identifies a row, given its values, in a form that no two rows share.
func (t *Table) AppendKey(b []byte, values []any) []byte {
	return AppendValues(b, append(values[:t.Keys:t.Keys], values[len(t.Columns)+AccountAt]))
}

// AppendValues appends values in such a form.
func AppendValues(b []byte, values []any) []byte {
	for _, v := range values {
		switch v := v.(type) {
		case string:
			b = append(strconv.AppendInt(b, int64(len(v)), 10), ':')
			b = append(b, v...)
		case int64:
			b = strconv.AppendInt(append(b, 'i'), v, 10)
		case float64:
			b = strconv.AppendFloat(append(b, 'f'), v, 'g', -1, 64)
		case bool:
			b = strconv.AppendBool(b, v)
		}
		b = append(b, ';')
	}
	return b
}
