package emit

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// StreamOptions describe a stream to an Emitter.
type StreamOptions struct {
	Name string
	// Given is the state in the request and GivenGeneration its generation; nil and zero if there was none.
	Given           json.RawMessage
	GivenGeneration int64
	// Checkpoint returns the stream's current state. It is called during a commit of the stream, so it sees the cursors as
	// the last Advance left them. It must not call the Emitter.
	Checkpoint func() (Checkpoint, error)
	// Fraction returns the part of the stream that has been read, 0 to 1; nil means that this is unknown until the stream
	// ends. It may be called at any time and must not call the Emitter.
	Fraction func() float64
	// Refused is called for each record that the sink can't carry, during the commit and before Advance. The stream
	// continues without the record if Refused returns nil; otherwise it ends with the returned failure. If Refused is nil,
	// such a record always ends the stream.
	Refused func(record connector.Record, failure *connector.Failure) *connector.Failure
	// SetAside returns the objects that are set aside, for the summary. Neither it nor Refused may call the Emitter.
	SetAside func() []connector.SetAside
	// Drift returns how the records differ from the stream's schema, for the summary; nil if that is unknown. It must not call
	// the Emitter.
	Drift func() *connector.Drift
}

// Checkpoint is a state to resume from, and the time up to which it covers changes; zero if unknown.
type Checkpoint struct {
	State     json.RawMessage
	Watermark time.Time
}

// Stream is one stream of a Read. Its methods may be called concurrently and do nothing once the stream has ended.
type Stream struct {
	emitter *Emitter
	StreamOptions

	// The fields below are guarded by the Emitter's mutex.
	generation     int64
	status         connector.Status
	failure        *connector.Failure
	counts         counts
	sinceState     int64     // records sent since the last state
	pages          int       // commits since the last state
	stateAt        time.Time // when the last state was sent
	state          Checkpoint
	reconciliation *connector.Reconciliation
	withheld       bool // the warning about withheld records was logged
	warned         int  // number of set-aside objects in the last warning
}

// counts are the totals of what was sent for a stream.
type counts struct{ upserts, deletes, deletesMatching, withheld, bytes int64 }

func (c *counts) sent() int64 { return c.upserts + c.deletes + c.deletesMatching }

func (c *counts) add(record connector.Record) {
	c.bytes += int64(len(record.Data))
	switch record.Operation {
	case connector.Upsert:
		c.upserts++
	case connector.Delete:
		c.deletes++
	case connector.DeleteMatching:
		c.deletesMatching++
	}
}

// Stream registers a stream. The summary lists the streams in order of registration.
func (e *Emitter) Stream(o StreamOptions) *Stream {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := &Stream{emitter: e, StreamOptions: o, generation: o.GivenGeneration}
	e.streams = append(e.streams, s)
	return s
}

// Begin reports that the stream is being read, in the given generation. It may be called again in a Read that reads a
// stream in several rounds.
func (s *Stream) Begin(ctx context.Context, generation int64) error {
	s.emitter.mu.Lock()
	defer s.emitter.mu.Unlock()
	if s.ended() {
		return nil
	}
	s.generation = generation
	s.stateAt = s.emitter.now()
	if s.status != 0 {
		return nil
	}
	return s.setStatus(ctx, connector.Started, nil)
}

// Complete ends the stream: everything requested was sent. If its cursors moved since the last state, its state is sent first.
// In a Read with Follow, the stream can continue afterwards: it is RUNNING again with its next records, and then COMPLETE
// again.
func (s *Stream) Complete(ctx context.Context) error {
	s.emitter.mu.Lock()
	defer s.emitter.mu.Unlock()
	if s.isIdle() {
		return nil
	}
	return s.end(ctx, connector.Complete, nil)
}

// Fail ends the stream INCOMPLETE. For a failure of class PermissionError it calls Skip instead.
func (s *Stream) Fail(ctx context.Context, failure *connector.Failure) error {
	if failure.Class == connector.PermissionError {
		return s.Skip(ctx, failure)
	}
	s.emitter.mu.Lock()
	defer s.emitter.mu.Unlock()
	return s.end(ctx, connector.Incomplete, failure)
}

// Skip ends the stream because the key may not read it. The stream is SKIPPED, unless it has a state: a key that could read
// it before has lost the permission, so it is INCOMPLETE and resumes from that state once the key may read it again.
func (s *Stream) Skip(ctx context.Context, failure *connector.Failure) error {
	s.emitter.mu.Lock()
	defer s.emitter.mu.Unlock()
	status := connector.Skipped
	if s.Given != nil || s.state.State != nil {
		status = connector.Incomplete
	}
	if s.state.State == nil {
		s.generation = s.GivenGeneration
	}
	return s.end(ctx, status, failure)
}

// Stop ends the stream INCOMPLETE without a failure, because a limit of the request was reached.
func (s *Stream) Stop(ctx context.Context) error {
	s.emitter.mu.Lock()
	defer s.emitter.mu.Unlock()
	return s.end(ctx, connector.Incomplete, nil)
}

// Ended reports whether the stream has ended, so that nothing more is sent for it.
func (s *Stream) Ended() bool {
	s.emitter.mu.Lock()
	defer s.emitter.mu.Unlock()
	return s.ended()
}

func (s *Stream) ended() bool {
	return s.status > connector.Complete || s.status == connector.Complete && !s.emitter.follow
}

// isIdle reports whether the stream is COMPLETE in a Read with Follow and has sent no record since.
func (s *Stream) isIdle() bool { return s.status == connector.Complete && s.emitter.follow }

// Log sends a log entry about the stream.
func (s *Stream) Log(ctx context.Context, level connector.LogLevel, message string) error {
	s.emitter.mu.Lock()
	defer s.emitter.mu.Unlock()
	return s.log(ctx, level, message)
}

// LogOnce sends a log entry about the stream, unless one with the same key was already sent in this Read.
func (s *Stream) LogOnce(ctx context.Context, key string, level connector.LogLevel, message string) error {
	s.emitter.mu.Lock()
	defer s.emitter.mu.Unlock()
	if !s.emitter.isFirst(s.Name + "\x00" + key) {
		return nil
	}
	return s.log(ctx, level, message)
}

func (s *Stream) log(ctx context.Context, level connector.LogLevel, message string) error {
	return s.emitter.send(ctx, &connector.LogEntry{Level: level, Stream: s.Name, Account: s.emitter.account, Message: message})
}

// Reconciled records the result of reconciling the stream, for the summary.
func (s *Stream) Reconciled(found *connector.Reconciliation) {
	s.emitter.mu.Lock()
	defer s.emitter.mu.Unlock()
	s.reconciliation = found
}

// end ends the stream with the given status, unless it has already ended. Unless the status is SKIPPED, a stream that was
// never begun becomes STARTED first, and the stream sends its state if its cursors moved since the last one.
func (s *Stream) end(ctx context.Context, status connector.Status, failure *connector.Failure) error {
	if s.ended() {
		return nil
	}
	if status != connector.Skipped && s.pages > 0 {
		if err := s.checkpoint(ctx); err != nil {
			return err
		}
	}
	if s.status == 0 && status != connector.Skipped {
		if err := s.setStatus(ctx, connector.Started, nil); err != nil {
			return err
		}
	}
	if err := s.warn(ctx); err != nil {
		return err
	}
	return s.setStatus(ctx, status, failure)
}

// maxNamed is the most set-aside objects that a warning names.
const maxNamed = 10

// setAside returns the objects that are set aside.
func (s *Stream) setAside() []connector.SetAside {
	if s.SetAside == nil {
		return nil
	}
	return s.SetAside()
}

// warn logs which objects are set aside, if they have become more since the last warning.
func (s *Stream) warn(ctx context.Context) error {
	all := s.setAside()
	if len(all) <= s.warned {
		s.warned = len(all)
		return nil
	}
	s.warned = len(all)
	var names strings.Builder
	for i, what := range all[:min(len(all), maxNamed)] {
		if i > 0 {
			names.WriteString(", ")
		}
		names.WriteString(shorten(what.Key))
	}
	if more := len(all) - maxNamed; more > 0 {
		fmt.Fprintf(&names, " and %d more", more)
	}
	return s.log(ctx, connector.Warning, fmt.Sprintf("Objects set aside because they can't be read: %d. They are missing or stale until a later Read can read them: %s.", len(all), &names))
}

// maxKeyLength is the most bytes of a key that a log entry shows.
const maxKeyLength = 100

func shorten(key string) string {
	if len(key) <= maxKeyLength {
		return key
	}
	return strings.ToValidUTF8(key[:maxKeyLength], "") + "…"
}

// setStatus changes the status of the stream and sends it.
func (s *Stream) setStatus(ctx context.Context, status connector.Status, failure *connector.Failure) error {
	if !isLegal(s.status, status) {
		return &panicError{what: fmt.Sprintf("stream %s can't go from %s to %s", s.Name, s.status, status)}
	}
	if failure != nil {
		named := *failure
		named.Stream, named.Account = s.Name, s.emitter.account
		failure = &named
	}
	s.status, s.failure = status, failure
	return s.emitter.send(ctx, &connector.StreamStatus{
		Stream: s.Name, Account: s.emitter.account, Status: status, Failure: failure, Generation: s.generation,
	})
}

// isLegal reports whether a stream may go from one status to another. Only in a Read with Follow does it leave COMPLETE for
// RUNNING.
func isLegal(from, to connector.Status) bool {
	switch to {
	case connector.Started:
		return from == 0
	case connector.Running:
		return from == connector.Started || from == connector.Complete
	case connector.Complete:
		return from == connector.Started || from == connector.Running
	case connector.Incomplete:
		return from == connector.Started || from == connector.Running || from == connector.Complete
	case connector.Skipped:
		return from <= connector.Complete
	}
	return false
}
