package emit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// Commit is a step of a source: some records, and the cursors that move over them.
type Commit struct {
	Batches []Batch
	// Advance moves the source's cursors over everything that Batches hold. It is called once they were sent, while no other
	// commit is under way. Nil means that the records belong to something that is not complete yet.
	Advance func()
	// Streams are those whose cursors Advance moves.
	Streams []*Stream
	// States says which of their states are sent.
	States States
}

// Batch holds records of one stream, in the order in which to apply them.
type Batch struct {
	Stream  *Stream
	Records []connector.Record
}

// States says which states follow a commit.
type States int

const (
	// StatesDue sends the states of all the streams if one of them is due by the request's policy: after so many commits,
	// or so much time.
	StatesDue States = iota
	// StatesOfRecords sends those that cover records, and those that are due by time.
	StatesOfRecords
	// StatesNow sends all of them, or, in a Read that follows and has nothing to say, those that are due by idleInterval.
	StatesNow
)

// idleInterval is how often the states of a Read that follows are sent while nothing changes.
const idleInterval = 30 * time.Second

// policy says how often states are sent.
type policy struct {
	pages    int
	interval time.Duration
	began    time.Time // when the Read did
}

// leastInterval is how soon after its beginning a Read sends its first states.
const leastInterval = 250 * time.Millisecond

// due returns the time after which a state is due. At first it is short, so that a client that is killed again and again
// after a second or two still makes progress; it grows with the time that the Read has lived.
func (p policy) due(now time.Time) time.Duration {
	return min(p.interval, max(leastInterval, now.Sub(p.began)/2))
}

// Commit sends records, advances over them, and sends the states that are due. An error ends the Read, or is that ctx
// ended; nothing was advanced then.
//
// A stream that has ended takes no records. One whose record the sink cannot carry goes on without it, or ends INCOMPLETE at
// its last state, as StreamOptions.Refused says.
func (e *Emitter) Commit(ctx context.Context, c Commit) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, batch := range c.Batches {
		if err := batch.Stream.records(ctx, batch.Records); err != nil {
			return err
		}
	}
	if e.full() {
		e.Stop()
	}
	if c.Advance == nil {
		return nil
	}
	c.Advance()
	due := c.States == StatesNow
	for _, s := range c.Streams {
		s.pages++
		due = due || s.due()
	}
	for _, s := range c.Streams {
		if c.States != StatesDue {
			due = s.owes(c.States)
		}
		if !due || s.ended() {
			continue
		}
		if err := s.checkpoint(ctx); err != nil {
			return err
		}
	}
	return nil
}

// due reports whether a state is due by the request's policy.
func (s *Stream) due() bool {
	now := s.emitter.now()
	return s.pages >= s.emitter.policy.pages || now.Sub(s.stateAt) >= s.emitter.policy.due(now)
}

// owes reports whether the stream owes a state for itself.
func (s *Stream) owes(states States) bool {
	switch {
	case s.sinceState > 0:
		return true
	case s.idle():
		return s.emitter.now().Sub(s.stateAt) >= idleInterval
	case states == StatesNow:
		return true
	}
	return s.emitter.now().Sub(s.stateAt) >= s.emitter.policy.interval
}

// records sends records of the stream.
func (s *Stream) records(ctx context.Context, records []connector.Record) error {
	if s.ended() || len(records) == 0 {
		return nil
	}
	records, err := s.acceptable(ctx, records)
	if err != nil || len(records) == 0 {
		return err
	}
	if s.status == connector.Started || s.idle() {
		if err := s.say(ctx, connector.Running, nil); err != nil {
			return err
		}
	}
	return s.batch(ctx, records)
}

// batch sends a batch. If the sink cannot carry it, it is cut in halves until the records are found that it cannot carry.
func (s *Stream) batch(ctx context.Context, records []connector.Record) error {
	err := s.emitter.send(ctx, &connector.RecordBatch{
		Stream: s.Name, Account: s.emitter.account, Generation: s.generation, Records: records,
	})
	failure, refused := errors.AsType[*connector.Failure](err)
	switch {
	case refused && len(records) > 1 && s.Refused != nil:
		half := len(records) / 2
		if err := s.batch(ctx, records[:half]); err != nil || s.ended() {
			return err
		}
		return s.batch(ctx, records[half:])
	case refused:
		return s.refused(ctx, records[0], failure)
	case err != nil:
		return err
	}
	s.sinceState += int64(len(records))
	for _, record := range records {
		s.counts.add(record)
	}
	return nil
}

// refused goes on without a record that the sink cannot carry, or ends the stream.
func (s *Stream) refused(ctx context.Context, record connector.Record, failure *connector.Failure) error {
	if s.Refused == nil {
		return s.say(ctx, connector.Incomplete, failure)
	}
	if failure := s.Refused(record, failure); failure != nil {
		return s.say(ctx, connector.Incomplete, failure)
	}
	return s.log(ctx, connector.Warning, fmt.Sprintf("The record of %s cannot be carried and is set aside. %s", shorten(record.Key), failure.Message))
}

// acceptable returns the records whose operation the caller accepts. The others are counted, and the log says once what
// that means.
func (s *Stream) acceptable(ctx context.Context, records []connector.Record) ([]connector.Record, error) {
	accepted := s.emitter.accepted
	refused := func(record connector.Record) bool { return !accepted[record.Operation] }
	if accepted == nil || !slices.ContainsFunc(records, refused) {
		return records, nil
	}
	kept := make([]connector.Record, 0, len(records))
	for _, record := range records {
		if refused(record) {
			s.counts.withheld++
			continue
		}
		kept = append(kept, record)
	}
	if s.withheld {
		return kept, nil
	}
	s.withheld = true
	return kept, s.log(ctx, connector.Warning, "The request accepts only some operations, so the others are not sent, and the summary counts them as withheld: rows that are gone at the source stay at the destination.")
}

// checkpoint sends the stream's state.
func (s *Stream) checkpoint(ctx context.Context) error {
	checkpoint, err := s.Checkpoint()
	if err != nil {
		return fmt.Errorf("make the state of %s: %w", s.Name, err)
	}
	err = s.emitter.send(ctx, &connector.StateCheckpoint{
		StreamState: connector.StreamState{Stream: s.Name, Account: s.emitter.account, State: checkpoint.State},
		Records:     s.sinceState,
		Watermark:   checkpoint.Watermark,
	})
	if err != nil {
		return err
	}
	s.state, s.stateAt, s.sinceState, s.pages = checkpoint, s.emitter.now(), 0, 0
	return nil
}
