package emit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// Commit is one step of a source: some records, and the cursors that move past them.
type Commit struct {
	Batches []Batch
	// Advance moves the source's cursors past everything in Batches. It is called once the batches have been sent, while no
	// other commit is in progress. It is nil if the records belong to a step that isn't complete yet.
	Advance func()
	// Streams lists the streams whose cursors Advance moves.
	Streams []*Stream
	// States selects which of their states are sent.
	States States
}

// Batch holds records of one stream, in the order to apply them.
type Batch struct {
	Stream  *Stream
	Records []connector.Record
}

// States selects which states follow a commit.
type States int

const (
	// StatesDue sends the states of all the streams if one of them is due by the request's checkpoint policy: after a
	// number of commits or an interval.
	StatesDue States = iota
	// StatesOfRecords sends the states that cover new records, and those that are due by time.
	StatesOfRecords
	// StatesNow sends all states. In a Read with Follow, streams without new records send theirs every idleInterval only.
	StatesNow
)

// idleInterval is how often an unchanged stream sends its state in a Read with Follow.
const idleInterval = 30 * time.Second

// policy determines how often states are sent.
type policy struct {
	pages    int
	interval time.Duration
	began    time.Time // when the Read began
}

// minInterval is the shortest time between a stream's states. It applies at the beginning of a Read.
const minInterval = 250 * time.Millisecond

// due returns how long after the previous state the next one is due. The interval starts short, so that a client that is
// killed again and again after a second or two still makes progress, and grows with the age of the Read.
func (p policy) due(now time.Time) time.Duration {
	return min(p.interval, max(minInterval, now.Sub(p.began)/2))
}

// Commit sends the batches, calls Advance, and sends the states that are due. It returns an error if the Read must end or
// ctx has ended; Advance wasn't called then.
//
// Records of a stream that has ended are dropped. If the sink can't carry a record, its stream continues without it or ends
// INCOMPLETE at its last state, as StreamOptions.Refused decides.
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
		due = due || s.isDue()
	}
	for _, s := range c.Streams {
		if c.States != StatesDue {
			due = s.isStateDue(c.States)
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

// isDue reports whether a state is due by the request's checkpoint policy.
func (s *Stream) isDue() bool {
	now := s.emitter.now()
	return s.pages >= s.emitter.policy.pages || now.Sub(s.stateAt) >= s.emitter.policy.due(now)
}

// isStateDue reports whether the stream's own state is to be sent, under a policy other than StatesDue.
func (s *Stream) isStateDue(states States) bool {
	switch {
	case s.sinceState > 0:
		return true
	case s.isIdle():
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
	records, err := s.filterAccepted(ctx, records)
	if err != nil || len(records) == 0 {
		return err
	}
	if s.status == connector.Started || s.isIdle() {
		if err := s.setStatus(ctx, connector.Running, nil); err != nil {
			return err
		}
	}
	return s.batch(ctx, records)
}

// batch sends a batch. If the sink can't carry it, it bisects the batch to find the records responsible.
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
		return s.handleRefused(ctx, records[0], failure)
	case err != nil:
		return err
	}
	s.sinceState += int64(len(records))
	for _, record := range records {
		s.counts.add(record)
	}
	return nil
}

// handleRefused skips a record that the sink can't carry, or ends the stream.
func (s *Stream) handleRefused(ctx context.Context, record connector.Record, failure *connector.Failure) error {
	if s.Refused == nil {
		return s.setStatus(ctx, connector.Incomplete, failure)
	}
	if failure := s.Refused(record, failure); failure != nil {
		return s.setStatus(ctx, connector.Incomplete, failure)
	}
	return s.log(ctx, connector.Warning, fmt.Sprintf("The record of %s can't be carried and was set aside. %s", shorten(record.Key), failure.Message))
}

// filterAccepted returns the records whose operation the caller accepts. It counts the others, and warns about them once per
// stream.
func (s *Stream) filterAccepted(ctx context.Context, records []connector.Record) ([]connector.Record, error) {
	accepted := s.emitter.accepted
	isWithheld := func(record connector.Record) bool { return !accepted[record.Operation] }
	if accepted == nil || !slices.ContainsFunc(records, isWithheld) {
		return records, nil
	}
	kept := make([]connector.Record, 0, len(records))
	for _, record := range records {
		if isWithheld(record) {
			s.counts.withheld++
			continue
		}
		kept = append(kept, record)
	}
	if s.withheld {
		return kept, nil
	}
	s.withheld = true
	return kept, s.log(ctx, connector.Warning, "The request doesn't accept all operations. Records with other operations are not sent and are counted as withheld in the summary, so rows that were deleted at the source stay at the destination.")
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
