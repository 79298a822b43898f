package emit

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// StreamOptions say what an Emitter has to know of a stream.
type StreamOptions struct {
	Name string
	// Given is the state that the request gave, and GivenGeneration its generation; nil and zero if there was none.
	Given           json.RawMessage
	GivenGeneration int64
	// Checkpoint returns how far the stream is. It is called while a commit of the stream is under way, so it sees the
	// cursors as the last Advance left them; it must not call the Emitter.
	Checkpoint func() (Checkpoint, error)
	// Fraction returns the part of the stream that is read, 0 to 1; nil means that it is unknown until the stream ends. It
	// may be called at any time and must not call the Emitter.
	Fraction func() float64
	// Refused is called for each record that the sink cannot carry, while its commit is under way and before that advances.
	// The stream goes on without the record, unless Refused returns why it cannot. Nil means that it never can.
	Refused func(record connector.Record, failure *connector.Failure) *connector.Failure
	// SetAside returns what the stream goes on without, for the summary. Neither it nor Refused may call the Emitter.
	SetAside func() []connector.SetAside
}

// Checkpoint is a state to resume from, with the time up to which it covers changes; zero if that is unknown.
type Checkpoint struct {
	State     json.RawMessage
	Watermark time.Time
}

// Stream is one stream of a Read. Its methods may be called from many goroutines, and do nothing once it has ended.
type Stream struct {
	emitter *Emitter
	StreamOptions

	// What follows is guarded by the Emitter's mutex.
	generation     int64
	status         connector.Status
	failure        *connector.Failure
	counts         counts
	sinceState     int64     // records sent since the last state
	pages          int       // commits since the last state
	stateAt        time.Time // when that was
	state          Checkpoint
	reconciliation *connector.Reconciliation
	withheld       bool // it was said that records are withheld
	warned         int  // how many things it was said to go on without
}

// counts add up what was sent for a stream.
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

// Stream registers a stream. The summary lists streams in the order in which they were registered.
func (e *Emitter) Stream(o StreamOptions) *Stream {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := &Stream{emitter: e, StreamOptions: o, generation: o.GivenGeneration}
	e.streams = append(e.streams, s)
	return s
}

// Begin says that the stream is being read, in a generation. It may be called again, in a Read that reads a stream in
// several rounds.
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
	return s.say(ctx, connector.Started, nil)
}

// Complete ends the stream: everything asked for was sent, and the last state says so. In a Read that follows more can come of
// it, after which it is RUNNING and may be COMPLETE again.
func (s *Stream) Complete(ctx context.Context) error {
	s.emitter.mu.Lock()
	defer s.emitter.mu.Unlock()
	if s.idle() {
		return nil
	}
	return s.end(ctx, connector.Complete, nil)
}

// Fail ends the stream INCOMPLETE. If it may not be read, that is Skip.
func (s *Stream) Fail(ctx context.Context, failure *connector.Failure) error {
	if failure.Class == connector.PermissionError {
		return s.Skip(ctx, failure)
	}
	s.emitter.mu.Lock()
	defer s.emitter.mu.Unlock()
	return s.end(ctx, connector.Incomplete, failure)
}

// Skip ends the stream because it may not be read. It is SKIPPED; but one that has a state could be read before, so that it is
// refused now is a failure: it is INCOMPLETE, and resumes from that state once it may be read again.
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

// Leave ends the stream INCOMPLETE without a failure: a limit of the request was reached.
func (s *Stream) Leave(ctx context.Context) error {
	s.emitter.mu.Lock()
	defer s.emitter.mu.Unlock()
	return s.end(ctx, connector.Incomplete, nil)
}

// Ended reports whether the stream has ended, so that nothing more of it is sent.
func (s *Stream) Ended() bool {
	s.emitter.mu.Lock()
	defer s.emitter.mu.Unlock()
	return s.ended()
}

func (s *Stream) ended() bool {
	return s.status > connector.Complete || s.status == connector.Complete && !s.emitter.follow
}

// idle reports whether the stream is COMPLETE in a Read that follows, and nothing was sent of it since that was said.
func (s *Stream) idle() bool { return s.status == connector.Complete && s.emitter.follow }

// Log sends an entry about the stream.
func (s *Stream) Log(ctx context.Context, level connector.LogLevel, message string) error {
	s.emitter.mu.Lock()
	defer s.emitter.mu.Unlock()
	return s.log(ctx, level, message)
}

// LogOnce sends an entry about the stream, unless one was sent under the same key in this Read.
func (s *Stream) LogOnce(ctx context.Context, key string, level connector.LogLevel, message string) error {
	s.emitter.mu.Lock()
	defer s.emitter.mu.Unlock()
	key = s.Name + "\x00" + key
	if s.emitter.logged[key] {
		return nil
	}
	s.emitter.logged[key] = true
	return s.log(ctx, level, message)
}

func (s *Stream) log(ctx context.Context, level connector.LogLevel, message string) error {
	return s.emitter.send(ctx, &connector.LogEntry{Level: level, Stream: s.Name, Account: s.emitter.account, Message: message})
}

// Reconciled notes what comparing the stream found, for the summary.
func (s *Stream) Reconciled(found *connector.Reconciliation) {
	s.emitter.mu.Lock()
	defer s.emitter.mu.Unlock()
	s.reconciliation = found
}

// end says how the stream ended, unless it has ended already. One that was never begun is STARTED first, or SKIPPED. One that
// ends INCOMPLETE sends its state, if its cursors moved since the last.
func (s *Stream) end(ctx context.Context, status connector.Status, failure *connector.Failure) error {
	if s.ended() {
		return nil
	}
	if status == connector.Incomplete && s.pages > 0 {
		if err := s.checkpoint(ctx); err != nil {
			return err
		}
	}
	if s.status == 0 && status != connector.Skipped {
		if err := s.say(ctx, connector.Started, nil); err != nil {
			return err
		}
	}
	if err := s.warn(ctx); err != nil {
		return err
	}
	return s.say(ctx, status, failure)
}

// mostNamed is how many things that a stream goes on without a warning names.
const mostNamed = 10

// aside returns what the stream goes on without.
func (s *Stream) aside() []connector.SetAside {
	if s.SetAside == nil {
		return nil
	}
	return s.SetAside()
}

// warn says what the stream goes on without, when it ends; again only if that became more.
func (s *Stream) warn(ctx context.Context) error {
	all := s.aside()
	if len(all) <= s.warned {
		s.warned = len(all)
		return nil
	}
	s.warned = len(all)
	var names strings.Builder
	for i, what := range all[:min(len(all), mostNamed)] {
		if i > 0 {
			names.WriteString(", ")
		}
		names.WriteString(shorten(what.Key))
	}
	if more := len(all) - mostNamed; more > 0 {
		fmt.Fprintf(&names, " and %d more", more)
	}
	return s.log(ctx, connector.Warning, fmt.Sprintf("%d set aside because they could not be read; they are missing or stale until a later Read can: %s.", len(all), &names))
}

// longestName is how much of a key a log entry shows.
const longestName = 100

func shorten(key string) string {
	if len(key) <= longestName {
		return key
	}
	return strings.ToValidUTF8(key[:longestName], "") + "…"
}

// say sends a status.
func (s *Stream) say(ctx context.Context, status connector.Status, failure *connector.Failure) error {
	if !legal(s.status, status) {
		return &panicError{what: fmt.Sprintf("stream %s goes from %s to %s", s.Name, s.status, status)}
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

// legal reports whether a stream may go from one status to another. From COMPLETE it goes on only in a Read that follows.
func legal(from, to connector.Status) bool {
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
