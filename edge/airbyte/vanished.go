package airbyte

import (
	"slices"

	"github.com/stripe-connector/stripe-connector/connector"
)

// vanished holds the rows of a stream that are removed at the next state unless they are sent again before it. Airbyte has no
// message that removes all rows of a parent, so each row needs a record of its own.
type vanished struct {
	rows []connector.Record
	told bool // it was logged that some keys are unknown
}

// sent notes that a row still exists, so that it isn't removed.
func (v *vanished) sent(key string) {
	if len(v.rows) > 0 {
		v.rows = slices.DeleteFunc(v.rows, func(row connector.Record) bool { return row.Key == key })
	}
}

// vanish handles a record that removes all rows of a parent.
func (r *reading) vanish(s *stream, record *connector.Record) error {
	s.vanished.rows = append(s.vanished.rows, record.Rows...)
	if s.vanished.told || record.AllRows {
		return nil
	}
	s.vanished.told = true
	return r.note(r.out.log("INFO", s.Name+": some rows vanished with or from their parent, but no event shows which. They stay until a full refresh with overwrite."))
}

// flushVanished writes the rows that have vanished.
func (r *reading) flushVanished(s *stream) error {
	if len(s.vanished.rows) == 0 {
		return nil
	}
	r.line = r.line[:0]
	for i := range s.vanished.rows {
		r.record(s, &s.vanished.rows[i], r.out.tick())
	}
	s.vanished.rows = nil
	r.sent.beat = r.out.now()
	return r.note(r.out.lines(r.line))
}
