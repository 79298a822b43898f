package airbyte

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

var _ connector.Sink = (*reading)(nil)

// sent records what has been sent so far.
type sent struct {
	messages int       // of the source
	beat     time.Time // when the last RECORD or STATE was sent
	progress time.Time // when progress was last logged
	limited  time.Time // when a wait was last reported
}

// Send writes m. An error means that the output is broken.
func (r *reading) Send(_ context.Context, m connector.Message) error {
	if r.broken != nil {
		return r.broken
	}
	r.sent.messages++
	switch m := m.(type) {
	case *connector.RecordBatch:
		return r.records(r.bySource[m.Stream], m)
	case *connector.StateCheckpoint:
		return r.checkpoint(r.bySource[m.Stream], m)
	case *connector.StreamStatus:
		return r.streamStatus(r.bySource[m.Stream], m)
	case *connector.Progress:
		return r.progress(m)
	case *connector.LogEntry:
		return r.log(m)
	}
	return fmt.Errorf("the protocol has no message for a %T", m)
}

// note remembers that the output is broken, and returns err.
func (r *reading) note(err error) error {
	if err != nil && r.broken == nil {
		r.broken = err
	}
	return err
}

// setStatus sends a new status of a stream.
func (r *reading) setStatus(s *stream, status string, reasons ...reason) error {
	s.status = status
	return r.note(r.out.status(s.Name, status, reasons...))
}

// records writes the records of a batch.
func (r *reading) records(s *stream, batch *connector.RecordBatch) error {
	r.line = r.line[:0]
	at := r.out.tick()
	repeats := repeats{}
	for i := range batch.Records {
		record := &batch.Records[i]
		if record.Operation == connector.DeleteMatching {
			if err := r.vanish(s, record); err != nil {
				return err
			}
			continue
		}
		s.vanished.sent(record.Key)
		if repeats.has(record) {
			at = r.out.tick()
		}
		r.record(s, record, at)
	}
	if len(r.line) == 0 {
		return nil
	}
	r.sent.beat = r.out.now()
	return r.note(r.out.lines(r.line))
}

// record appends the line of a record.
func (r *reading) record(s *stream, record *connector.Record, at int64) {
	cursor := record.AsOf.Unix()
	if record.Operation == connector.Delete {
		cursor = max(cursor, s.newest) // a list may have shown the object a moment after it was deleted
	}
	s.newest = max(s.newest, cursor)
	began := len(r.line)
	r.line = append(r.line, `{"type":"RECORD","record":{"stream":`...)
	r.line = strconv.AppendQuote(r.line, s.Name)
	r.line = append(r.line, `,"emitted_at":`...)
	r.line = strconv.AppendInt(r.line, at, 10)
	r.line = append(r.line, `,"data":`...)
	r.line = r.dialect.AppendRow(r.line, s.Source, record, cursor, s.first && record.EventID == "")
	r.line = append(r.line, "}}\n"...)
	s.sinceState++
	s.bytes += int64(len(r.line) - began)
}

// repeats finds objects of which a batch has several versions. Only changes repeat an object: a list has each one once.
type repeats struct{ keys map[string]bool }

func (k *repeats) has(record *connector.Record) bool {
	if record.EventID == "" {
		return false
	}
	if k.keys[record.Key] {
		return true
	}
	if k.keys == nil {
		k.keys = map[string]bool{}
	}
	k.keys[record.Key] = true
	return false
}

// checkpoint writes a state.
func (r *reading) checkpoint(s *stream, m *connector.StateCheckpoint) error {
	if err := r.flushVanished(s); err != nil {
		return err
	}
	if !m.Watermark.IsZero() {
		if other := r.dialect.State(s.Source, m.Watermark); other != nil {
			until, err := r.dialect.Position(s.Source, other)
			if err != nil {
				return r.note(fmt.Errorf("the state of %s for the other connector %w", s.Name, err))
			}
			s.other, s.until = other, seconds(until)
		}
	}
	s.lastSource = m.State
	return r.writeState(s)
}

// writeState writes the current state of a stream. No two states of a stream with records between them are the same.
func (r *reading) writeState(s *stream) error {
	own := ownState{Until: s.until, Newest: s.newest, State: s.lastSource, Repeated: s.repeated}
	state, err := encodeState(s.other, own)
	if err != nil {
		return r.note(err)
	}
	if s.sinceState > 0 && bytes.Equal(state, s.last) {
		s.repeated++
		own.Repeated = s.repeated
		if state, err = encodeState(s.other, own); err != nil {
			return r.note(err)
		}
	}
	return r.sendState(s, state)
}

func (r *reading) sendState(s *stream, state json.RawMessage) error {
	records := s.sinceState
	s.last, s.sinceState = state, 0
	r.sent.beat = r.out.now()
	return r.note(r.out.state(s.Name, state, records))
}

// streamStatus writes a new status of a stream.
func (r *reading) streamStatus(s *stream, m *connector.StreamStatus) error {
	switch m.Status {
	case connector.Started:
		return r.setStatus(s, started)
	case connector.Running:
		return r.setStatus(s, running)
	case connector.Complete:
		return r.end(s, nil)
	case connector.Incomplete, connector.Skipped:
	}
	failure := m.Failure
	if failure == nil {
		failure = interrupted()
	}
	return r.end(s, failure)
}

// end ends a stream. An incremental stream that the key may not read ends COMPLETE with its old state, as users of the existing
// connector expect. In a full refresh, COMPLETE would remove the rows from the destination.
func (r *reading) end(s *stream, failure *connector.Failure) error {
	if s.status == "" {
		if err := r.setStatus(s, started); err != nil {
			return err
		}
	}
	if err := r.flushVanished(s); err != nil {
		return err
	}
	refused := failure != nil && failure.Class == connector.PermissionError && s.mode == connector.Incremental
	if s.last == nil && (failure == nil || refused) {
		state := s.given
		if len(state) == 0 || string(state) == "null" || string(state) == "{}" {
			state = json.RawMessage(noCursor)
		}
		if err := r.sendState(s, state); err != nil {
			return err
		}
	}
	switch {
	case refused:
		if err := r.note(r.out.log("WARN", "The key can't read the stream "+s.Name+", so nothing was read. "+failure.Message)); err != nil {
			return err
		}
		return r.setStatus(s, complete)
	case failure != nil:
		return r.fail(s, failure)
	}
	return r.setStatus(s, complete)
}

// How often progress is reported.
const (
	beatInterval     = 10 * time.Minute // the platform cancels a sync that sends no RECORD or STATE for hours
	progressInterval = time.Minute
	limitedInterval  = 30 * time.Second
	minLimited       = time.Second // the shortest wait to report
)

// progress writes what a heartbeat of the source means to the platform: waits for a rate limit, estimates and, after a long
// silence, the last state of a stream once more.
func (r *reading) progress(m *connector.Progress) error {
	now := r.out.now()
	if r.sent.beat.IsZero() {
		r.sent.beat, r.sent.progress = now, now
	}
	limited := m.WaitingUntil.Sub(now) >= minLimited && now.Sub(r.sent.limited) >= limitedInterval
	if limited {
		r.sent.limited = now
	}
	for _, p := range m.Streams {
		s := r.bySource[p.Stream]
		if limited {
			wait := reason{Type: "RATE_LIMITED", RateLimited: rateLimited{m.WaitingUntil.UnixMilli()}}
			if err := r.setStatus(s, running, wait); err != nil {
				return err
			}
		}
		if err := r.estimate(s, p); err != nil {
			return err
		}
	}
	if now.Sub(r.sent.progress) >= progressInterval {
		r.sent.progress = now
		text := fmt.Sprintf("%d records so far, with %d requests; %.0f %% of the history covered.", m.Records, m.Requests, 100*m.Fraction)
		if err := r.note(r.out.log("INFO", text)); err != nil {
			return err
		}
	}
	if now.Sub(r.sent.beat) >= beatInterval {
		return r.beat()
	}
	return nil
}

// beat repeats the last state of a stream that has sent no record since.
func (r *reading) beat() error {
	for _, s := range r.streams {
		if s.status == running && s.sinceState == 0 && s.last != nil {
			return r.sendState(s, s.last)
		}
	}
	return nil
}

// The smallest part of a stream that an estimate is based on, and the smallest change worth another one.
const (
	minFraction = 0.02
	minGain     = 1.1
)

// estimate writes an estimate of the rows that a Read yields, if it differs from the last one.
func (r *reading) estimate(s *stream, p connector.StreamProgress) error {
	if p.Records == 0 || p.Fraction < minFraction || p.Fraction >= 1 {
		return nil
	}
	rows := int64(float64(p.Records) / p.Fraction)
	if last := float64(s.estimated); s.estimated > 0 && float64(rows) < last*minGain && last < float64(rows)*minGain {
		return nil
	}
	s.estimated = rows
	bytes := int64(float64(s.bytes) / p.Fraction)
	return r.note(r.out.trace(traceBody{Type: "ESTIMATE", Estimate: &estimate{Name: s.Name, Type: "STREAM", RowEstimate: rows, ByteEstimate: bytes}}))
}

// log writes a log entry.
func (r *reading) log(m *connector.LogEntry) error {
	level := "INFO"
	switch m.Level {
	case connector.Warning:
		level = "WARN"
	case connector.Error:
		level = "ERROR"
	case connector.Info:
	}
	text := m.Message
	if s := r.bySource[m.Stream]; s != nil {
		text = s.Name + ": " + text
	}
	return r.note(r.out.log(level, text))
}
