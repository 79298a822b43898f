package singer

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// output is a stream that is read.
type output struct {
	Stream
	fields []string
	json   []byte // the schema of the rows
	row    RowFunc
	prefix []byte // of a RECORD message, before the row

	records, counted int64           // sent, and of these already reported in a metric
	misfits          map[string]bool // the columns that were warned about
	vanishing        bool            // it was logged that rows may vanish
}

// flushBytes is how much is written at once, unless a STATE or a heartbeat comes first.
const flushBytes = 64 << 10

// countInterval is how often records are counted in a metric, as in Singer's own taps.
const countInterval = time.Minute

// sink writes the messages of a Read as Singer messages.
type sink struct {
	*Runner
	outputs map[string]*output // by the source's name
	order   []*output
	buffer  []byte
	begun   bool // the source has sent something
	dirty   bool // a state was set since the last STATE
	counted time.Time

	asOf      time.Time
	extracted []byte // the end of a RECORD message with the time asOf
}

var _ connector.Sink = (*sink)(nil)

func newSink(r *Runner, selected []*output) *sink {
	s := &sink{Runner: r, outputs: map[string]*output{}, order: selected, counted: time.Now()}
	for _, o := range selected {
		s.outputs[o.Source] = o
		o.prefix = append(strconv.AppendQuote([]byte(`{"type":"RECORD","stream":`), o.Name), `,"record":`...)
		o.misfits = map[string]bool{}
	}
	return s
}

// Send writes a message. A message is written before Send returns, or with the next STATE or heartbeat.
func (s *sink) Send(_ context.Context, m connector.Message) error {
	s.begun = true
	if _, isState := m.(*connector.StateCheckpoint); !isState {
		if err := s.state(); err != nil {
			return err
		}
	}
	switch m := m.(type) {
	case *connector.RecordBatch:
		return s.batch(m)
	case *connector.StateCheckpoint:
		s.Tap.Set(m.Stream, m.State)
		s.dirty = true
	case *connector.StreamStatus:
		s.status(m)
	case *connector.Progress:
		return s.progress(m)
	case *connector.LogEntry:
		s.log(m)
	}
	return nil
}

// schema writes the SCHEMA message of a stream.
func (s *sink) schema(o *output) {
	s.buffer = strconv.AppendQuote(append(s.buffer, `{"type":"SCHEMA","stream":`...), o.Name)
	s.buffer = append(append(s.buffer, `,"schema":`...), o.json...)
	s.buffer = append(s.buffer, `,"key_properties":[`...)
	for i, name := range o.Key {
		if i > 0 {
			s.buffer = append(s.buffer, ',')
		}
		s.buffer = strconv.AppendQuote(s.buffer, name)
	}
	s.buffer = append(s.buffer, "]}\n"...)
}

// batch writes the records of a batch, or none of them if one can't be sent.
func (s *sink) batch(b *connector.RecordBatch) error {
	o := s.outputs[b.Stream]
	if o == nil {
		return fmt.Errorf("the source sent records of %s, which was not requested", b.Stream)
	}
	before, n := len(s.buffer), int64(0)
	for i := range b.Records {
		r := &b.Records[i]
		if r.Operation == connector.DeleteMatching {
			s.vanish(o)
			continue
		}
		s.buffer = append(s.buffer, o.prefix...)
		row, misfit, err := o.row(s.buffer, r)
		if err != nil {
			s.buffer = s.buffer[:before]
			return err
		}
		if misfit != "" {
			s.misfit(o, misfit, r)
		}
		s.buffer = append(row, s.tail(r.AsOf)...)
		n++
	}
	o.records += n
	if len(s.buffer) < flushBytes {
		return nil
	}
	return s.flush()
}

// tail returns the end of a RECORD message. All records of a page have the same time.
func (s *sink) tail(asOf time.Time) []byte {
	if !asOf.Equal(s.asOf) || s.extracted == nil {
		s.asOf = asOf
		s.extracted = asOf.UTC().AppendFormat(nil, `,"time_extracted":"2006-01-02T15:04:05.000000Z"}`+"\n")
	}
	return s.extracted
}

// vanish logs, once for each stream, that Singer has no message for rows that vanish with their parent.
func (s *sink) vanish(o *output) {
	if o.vanishing {
		return
	}
	o.vanishing = true
	s.Log.Info("Parents of " + o.Name + " changed. Their rows are sent again; rows that are no longer among them stay in the table, as Singer has no message to remove them.")
}

// misfit warns once about a column.
func (s *sink) misfit(o *output, column string, r *connector.Record) {
	if o.misfits[column] {
		return
	}
	o.misfits[column] = true
	s.Log.Warn(fmt.Sprintf("The column %s of %s has a value that doesn't match the type in its schema, first in %s. Such values become null.", column, o.Name, r.Key))
}

// state writes a STATE message if a state was set since the last one.
func (s *sink) state() error {
	if !s.dirty {
		return nil
	}
	return s.writeState()
}

func (s *sink) writeState() error {
	value, err := s.Tap.State()
	if err != nil {
		return fmt.Errorf("write the state: %w", err)
	}
	s.buffer = append(append(append(s.buffer, `{"type":"STATE","value":`...), value...), "}\n"...)
	s.dirty = false
	return s.flush()
}

// flush writes what is buffered.
func (s *sink) flush() error {
	if len(s.buffer) == 0 {
		return nil
	}
	_, err := s.Stdout.Write(s.buffer)
	s.buffer = s.buffer[:0]
	if err != nil {
		return &OutputError{err}
	}
	return nil
}

// OutputError means that the messages can't be written, usually because the target has ended.
type OutputError struct{ Err error }

// Error returns the message of the write's error.
func (e *OutputError) Error() string {
	return "write to stdout: " + e.Err.Error() + ". Has the target ended? Its own log says why."
}

// Unwrap returns the write's error.
func (e *OutputError) Unwrap() error { return e.Err }

// end writes the last STATE and the counts, unless the source refused the request.
func (s *sink) end() error {
	if !s.begun {
		return nil
	}
	s.count()
	return s.writeState()
}

// count logs the records that were sent since the last count.
func (s *sink) count() {
	s.counted = time.Now()
	for _, o := range s.order {
		s.Log.records(o.Name, o.records-o.counted)
		o.counted = o.records
	}
}

// progress writes what is buffered, and counts.
func (s *sink) progress(*connector.Progress) error {
	if time.Since(s.counted) >= countInterval {
		s.count()
	}
	return s.flush()
}

func (s *sink) status(m *connector.StreamStatus) {
	name := s.nameOf(m.Stream)
	switch {
	case m.Status == connector.Skipped && m.Failure != nil:
		s.Log.Warn(fmt.Sprintf("%s is skipped: %s", name, m.Failure.Message))
	case m.Status == connector.Incomplete && m.Failure != nil:
		s.Log.Warn(fmt.Sprintf("%s ends early: %s", name, m.Failure.Message))
	case m.Status == connector.Started:
		s.Log.Info("Reading " + name)
	case m.Status == connector.Complete:
		s.Log.Info(fmt.Sprintf("%s is up to date: %d records", name, s.outputs[m.Stream].records))
	}
}

func (s *sink) log(m *connector.LogEntry) {
	message := m.Message
	if m.Stream != "" {
		message = s.nameOf(m.Stream) + ": " + message
	}
	if m.Level >= connector.Warning {
		s.Log.Warn(message)
		return
	}
	s.Log.Info(message)
}

// nameOf returns the tap's name of a stream.
func (s *sink) nameOf(source string) string {
	if o := s.outputs[source]; o != nil {
		return o.Name
	}
	return source
}
