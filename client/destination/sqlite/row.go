package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

const asOfLayout = "2006-01-02T15:04:05.000Z"

// splitter cuts records into columns. Members are found by a walk over the record's top level; nothing is decoded that is
// not bound, and strings without escapes are bound as parts of the record.
type splitter struct {
	decoder jsontext.Decoder
	buffer  bytes.Buffer
	extra   []byte
}

// split fills args with the values of a record: those of the table's columns, then account, as_of and extra. Every key of
// the table is set, or the record is refused.
func (s *splitter) split(t *table, account string, record *connectorv1.Record, args []any) error {
	clear(args)
	s.extra = s.extra[:0]
	err := s.members(record.GetData(), func(name, raw string) {
		for _, i := range t.nested[name] {
			args[i] = nestedKey(t.columns[i], raw)
		}
		if i, ok := t.member[name]; ok {
			if bound, fits := t.columns[i].kind.value(raw); fits {
				args[i] = bound
				return
			}
			if i < t.keys {
				args[i] = unquoted(raw) // SQLite takes any value in any column, and a row needs its key
				return
			}
		}
		s.addExtra(name, raw)
	})
	if err != nil {
		return fmt.Errorf("record of %s is not a JSON object: %w", t.stream, err)
	}
	for i, c := range t.columns[:t.keys] {
		if args[i] == nil {
			return fmt.Errorf("record of %s has no value of its key %q: this is a bug in the service, please report it",
				t.stream, c.name)
		}
	}
	rest := args[len(t.columns):]
	rest[0] = account
	if at := record.GetAsOf(); at != nil {
		rest[1] = at.AsTime().Format(asOfLayout)
	}
	if len(s.extra) > 0 {
		rest[2] = string(append(s.extra, '}'))
	}
	return nil
}

// members calls visit with the name and the JSON of each member of an object.
func (s *splitter) members(object string, visit func(name, raw string)) error {
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
func (s *splitter) addExtra(name, raw string) {
	separator := byte(',')
	if len(s.extra) == 0 {
		separator = '{'
	}
	s.extra, _ = jsontext.AppendQuote(append(s.extra, separator), name)
	s.extra = append(append(s.extra, ':'), raw...)
}

// nestedKey finds the value of a key whose path goes below the top level; nil if it is not there.
func nestedKey(c column, raw string) any {
	var inner splitter
	for _, part := range strings.Split(c.name, ".")[1:] {
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
	bound, fits := c.kind.value(raw)
	if !fits {
		return unquoted(raw)
	}
	return bound
}

// unquoted gives a JSON value as text: the content of a string, the JSON of anything else.
func unquoted(raw string) string {
	if raw[0] == '"' {
		return unquote(raw)
	}
	return raw
}
