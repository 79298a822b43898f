package client

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

const (
	// A commit costs the destination a transaction, so states are gathered until this much is covered by them.
	commitBytes    = 4 << 20
	commitInterval = time.Second
	// heldBytes bounds what waits while a commit is in flight: beyond it, the Read waits, too. As much again may be in flight.
	heldBytes = 32 << 20
)

// loader gathers the records and states of one Read into commits. Rows go into a commit with a state that covers them or,
// if too many wait for one, before it; never a state before its rows.
//
// One commit at a time is in flight, while the Read continues and the next one is gathered. So commits grow as the
// destination gets slower, and what a commit costs whatever its size, such as round trips, is spread over more rows. The
// Read waits only when heldBytes have arrived during one commit. The caller of newLoader calls finish or abandon at the end.
type loader struct {
	destination Destination
	committed   func(*connectorv1.RecordBatch) // called for each batch stored
	refused     func(Refusal)                  // called for each record in these that was set aside
	advanced    func()                         // called for each commit with a state that is new

	fields    map[string][]string // selected, by stream; those of a stream of which all are, are not there
	streams   map[StreamKey]*held
	order     []StreamKey // of arrival, so that commits do not depend on the order of a map
	covered   int         // bytes of records that a state covers
	uncovered int         // bytes of records that none does yet
	states    int         // how many states wait
	last      time.Time   // when the last commit began
	inFlight  *flight     // nil if there is none
}

// held is what a stream has sent and the destination has not got.
type held struct {
	covered, uncovered []*connectorv1.RecordBatch
	records            int64 // since the last state, stored already or not
	state              *connectorv1.StreamState
	stored             *connectorv1.StreamState
	completed          int64 // the generation read to its end, until that is stored; zero if there is none
}

// newLoader begins with the states that the destination holds.
func newLoader(d Destination, states []*connectorv1.StreamState) *loader {
	l := &loader{destination: d, fields: map[string][]string{}, streams: map[StreamKey]*held{}, last: time.Now()}
	for _, s := range states {
		l.held(s.GetStream(), s.GetAccount()).stored = s
	}
	return l
}

func (l *loader) held(stream, account string) *held {
	key := StreamKey{stream, account}
	h, ok := l.streams[key]
	if !ok {
		h = &held{}
		l.streams[key] = h
		l.order = append(l.order, key)
	}
	return h
}

// records takes a batch, and starts a commit if enough is waiting. That includes rows whose state is still to come, or their
// commit would grow without bound.
func (l *loader) records(ctx context.Context, batch *connectorv1.RecordBatch) error {
	if err := l.landed(); err != nil {
		return err
	}
	h := l.held(batch.GetStream(), batch.GetAccount())
	h.uncovered = append(h.uncovered, batch)
	h.records += int64(len(batch.GetRecords()))
	l.uncovered += sizeOf(batch)
	if l.inFlight != nil && l.covered+l.uncovered >= heldBytes {
		if err := l.land(); err != nil {
			return err
		}
	}
	if l.inFlight != nil || l.covered+l.uncovered < commitBytes {
		return nil
	}
	return l.flush(ctx, true)
}

// state takes a state, and starts a commit if enough is covered.
func (l *loader) state(ctx context.Context, c *connectorv1.StateCheckpoint) error {
	if err := l.landed(); err != nil {
		return err
	}
	h := l.held(c.GetState().GetStream(), c.GetState().GetAccount())
	if h.records != c.GetRecords() {
		return miscounted(c, h.records)
	}
	h.records = 0
	for _, b := range h.uncovered {
		l.uncovered -= sizeOf(b)
		l.covered += sizeOf(b)
	}
	h.covered = append(h.covered, h.uncovered...)
	h.uncovered = nil
	if h.state == nil {
		l.states++
	}
	h.state = c.GetState()
	if l.inFlight != nil || l.covered < commitBytes && time.Since(l.last) < commitInterval {
		return nil
	}
	return l.flush(ctx, false)
}

// tick begins a commit of states that have waited long enough, and takes note of one that has ended. Each message of a Read
// calls it, and there is one every few seconds, so that what comes rarely is not stored late.
func (l *loader) tick(ctx context.Context) error {
	if err := l.landed(); err != nil {
		return err
	}
	if l.states == 0 || l.inFlight != nil || time.Since(l.last) < commitInterval {
		return nil
	}
	return l.flush(ctx, false)
}

// status notes that a stream was read to its end. It counts only if a state covers every record of it, as the protocol
// promises: what is removed on its account must not be what a crash makes come again.
func (l *loader) status(s *connectorv1.StreamStatusChange) {
	h := l.held(s.GetStream(), s.GetAccount())
	if s.GetStatus() == connectorv1.StreamStatus_STREAM_STATUS_COMPLETE && h.records == 0 {
		h.completed = s.GetGeneration()
	}
}

// flush starts a commit of the waiting states, the rows they cover, and the completions. With everything, it adds the rows
// that no state covers yet, except those of a stream with a state or a completion in this commit, which would cover them
// too. It waits for the commit in flight first.
func (l *loader) flush(ctx context.Context, everything bool) error {
	if err := l.land(); err != nil {
		return err
	}
	var c Commit
	advanced := false
	for _, key := range l.order {
		h := l.streams[key]
		completed := h.completed > 0
		if completed {
			c.Completed = append(c.Completed, Completion{key.Stream, key.Account, h.completed})
			h.completed = 0
		}
		switch {
		case h.state != nil:
			c.Records = append(c.Records, h.covered...)
			c.States = append(c.States, label(h.state, l.fields[key.Stream]))
			advanced = advanced || !proto.Equal(h.state, h.stored)
			h.stored, h.state, h.covered = h.state, nil, nil
		case everything && !completed:
			c.Records = append(c.Records, h.uncovered...)
			for _, b := range h.uncovered {
				l.uncovered -= sizeOf(b)
			}
			h.uncovered = nil
		}
	}
	l.covered, l.states = 0, 0
	l.launch(ctx, c, advanced)
	return nil
}

// finish commits what is left when the Read is over, and waits for it. Rows without a state come again if the Read broke
// off, so they are dropped then.
func (l *loader) finish(ctx context.Context, orderly bool) error {
	err := l.flush(ctx, orderly)
	if err == nil && orderly {
		err = l.flush(ctx, true) // the rows after the last state of a stream that had one
	}
	if err != nil {
		return err
	}
	return l.land()
}

// miscounted is the error of a state that covers another number of records than came. It is not stored.
func miscounted(c *connectorv1.StateCheckpoint, arrived int64) error {
	return &Error{Code: codes.Internal, Failure: &connectorv1.Failure{
		Class:  connectorv1.FailureClass_FAILURE_CLASS_SYSTEM,
		Stream: c.GetState().GetStream(), Account: c.GetState().GetAccount(),
		Message: fmt.Sprintf("The service says that it sent %d records of %s since the state before, and %d arrived. "+
			"The state was not stored. This is a bug in the service: please report it.",
			c.GetRecords(), c.GetState().GetStream(), arrived),
	}}
}

// sizeOf returns the bytes of a batch's JSON.
func sizeOf(batch *connectorv1.RecordBatch) int {
	n := 0
	for _, r := range batch.GetRecords() {
		n += len(r.GetData())
	}
	return n
}
