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

// Splitter splits records into column values. It scans only the record's top level and decodes only what is stored. Strings
// without escapes share the record's memory. The zero value is ready to use.
type Splitter struct {
	decoder jsontext.Decoder
	buffer  bytes.Buffer
	extra   []byte
}

// Values returns a slice for the values of a row: the table's columns, followed by the sync's own.
func (t *Table) Values() []any { return make([]any, len(t.Columns)+OwnValues) }

// Split sets values to those of a record. It returns an error unless the record sets every key of the table.
func (s *Splitter) Split(t *Table, batch *connectorv1.RecordBatch, record *connectorv1.Record, values []any) error {
	clear(values)
	s.extra = s.extra[:0]
	var misfit string // a key whose value its column can't hold
	err := s.members(record.GetData(), func(name, raw string) {
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
		return fmt.Errorf("record of %s is not a JSON object: %w", t.Stream, err)
	}
	for i, c := range t.Columns[:t.Keys] {
		if values[i] == nil {
			if misfit == c.Path {
				return &InvalidKeyError{t.Stream, c.Path, c.Kind}
			}
			return fmt.Errorf("record of %s has no value for its key %q: this is a bug in the service, please report it",
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

// members calls visit with the name and the raw JSON of each member of an object.
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
		content, _ := unquote(name)
		visit(content, raw)
	}
	return nil
}

// addExtra adds a member without a column to _extra.
func (s *Splitter) addExtra(name, raw string) {
	separator := byte(',')
	if len(s.extra) == 0 {
		separator = '{'
	}
	s.extra, _ = jsontext.AppendQuote(append(s.extra, separator), name)
	s.extra = append(append(s.extra, ':'), raw...)
}

// nestedKey returns the value of a key below the top level, or nil if it is missing.
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

// Parent returns the value to match for a record with OPERATION_DELETE_MATCHING, as the column stores it. A record with
// anything but that one value is an error: guessing could delete every row.
func (s *Splitter) Parent(t *Table, record *connectorv1.Record) (value any, err error) {
	fields := 0
	err = s.members(record.GetData(), func(name, raw string) {
		fields++
		if t.Parent >= 0 && name == t.Columns[t.Parent].Path {
			if stored, fits := t.Columns[t.Parent].Kind.value(raw); fits {
				value = stored
			}
		}
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("record of %s is not a JSON object: %w", t.Stream, err)
	case t.Parent < 0:
		return nil, fmt.Errorf("record of %s has operation DELETE_MATCHING, and the stream has no parent field to match: "+
			"this is a bug in the service, please report it", t.Stream)
	case fields != 1 || value == nil:
		return nil, fmt.Errorf("record of %s has operation DELETE_MATCHING and must have a value for the parent field %q and nothing "+
			"else: this is a bug in the service, please report it", t.Stream, t.Columns[t.Parent].Path)
	}
	return value, nil
}

// AppendParent appends a unique encoding of the account and parent that rows belong to.
func (t *Table) AppendParent(b []byte, account string, parent any) []byte {
	return appendValue(appendValue(b, account), parent)
}

// AppendKey appends a unique encoding of the key of a row with these values.
func (t *Table) AppendKey(b []byte, values []any) []byte {
	for _, v := range append(values[:t.Keys:t.Keys], values[len(t.Columns)+AccountAt]) {
		b = appendValue(b, v)
	}
	return b
}

func appendValue(b []byte, v any) []byte {
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
	return append(b, ';')
}
