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
	// Each commit costs the destination a transaction, so states are collected until the records they cover reach this
	// size.
	commitBytes    = 4 << 20
	commitInterval = time.Second
	// heldBytes bounds the records that wait while a commit is in flight; beyond it, the Read waits. The commit in
	// flight may hold as much again.
	heldBytes = 48 << 20
)

// loader collects the records and states of one Read into commits. Rows are committed together with a state that
// covers them or, if too many are waiting for one, before it. A state is never committed before its rows.
//
// One commit at a time is in flight, while the Read continues and the next commit is collected. The slower the
// destination, the larger the commits, which spreads the fixed cost of a commit, such as its round trips, over more
// rows. The Read waits only when heldBytes have arrived during one commit. The caller of newLoader must call finish
// or abandon at the end.
type loader struct {
	destination Destination
	committed   func(*connectorv1.RecordBatch) // called for each stored batch
	refused     func(Refusal)                  // called for each record set aside
	advanced    func()                         // called for each commit with a new state

	fields    map[string][]string // selected fields by stream; streams with all fields are absent
	streams   map[StreamKey]*held
	order     []StreamKey // order of arrival, so that commits don't depend on map order
	covered   int         // bytes of records covered by a state
	uncovered int         // bytes of records not yet covered by a state
	states    int         // number of waiting states
	last      time.Time   // when the last commit started
	inFlight  *flight     // nil if there is none
}

// held is what a stream has sent that is not yet committed.
type held struct {
	covered, uncovered []*connectorv1.RecordBatch
	records            int64 // number since the last state, committed or not
	state              *connectorv1.StreamState
	stored             *connectorv1.StreamState
	completed          int64 // the generation that was read to its end, or zero if there is none to commit
}

// newLoader returns a loader that starts from the states stored in the destination.
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

// records adds a batch, and starts a commit if enough is waiting. The commit may include rows without a state, since
// it could otherwise grow without bound.
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

// state adds a state, and starts a commit if it and earlier ones cover enough.
func (l *loader) state(ctx context.Context, c *connectorv1.StateCheckpoint) error {
	if err := l.landed(); err != nil {
		return err
	}
	h := l.held(c.GetState().GetStream(), c.GetState().GetAccount())
	if h.records != c.GetRecords() {
		return countMismatch(c, h.records)
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

// tick starts a commit of states that have waited long enough, and handles the end of a commit. It is called for each
// message of a Read. Messages arrive at least every 10 seconds, so infrequent states aren't committed late.
func (l *loader) tick(ctx context.Context) error {
	if err := l.landed(); err != nil {
		return err
	}
	if l.states == 0 || l.inFlight != nil || time.Since(l.last) < commitInterval {
		return nil
	}
	return l.flush(ctx, false)
}

// status records that a stream was read to its end. This counts only if a state covers all its records, as the
// protocol promises. Otherwise, rows could be removed that are sent again after a crash.
func (l *loader) status(s *connectorv1.StreamStatusChange) {
	h := l.held(s.GetStream(), s.GetAccount())
	if s.GetStatus() == connectorv1.StreamStatus_STREAM_STATUS_COMPLETE && h.records == 0 {
		h.completed = s.GetGeneration()
	}
}

// flush starts a commit of the waiting states, the rows they cover, and the completions. If everything is true, it
// adds the rows that no state covers yet, except those of a stream with a state or a completion in this commit, which
// would then cover them, too. It waits for the commit in flight first.
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

// finish commits what is left at the end of the Read, and waits for it. If the Read was interrupted, it drops rows
// without a state, since they will be sent again.
func (l *loader) finish(ctx context.Context, orderly bool) error {
	err := l.flush(ctx, orderly)
	if err == nil && orderly {
		err = l.flush(ctx, true) // rows that follow the last state of their stream
	}
	if err != nil {
		return err
	}
	return l.land()
}

// countMismatch returns the error for a state that covers a different number of records than arrived. Such a state is
// not stored.
func countMismatch(c *connectorv1.StateCheckpoint, arrived int64) error {
	return &Error{Code: codes.Internal, Failure: &connectorv1.Failure{
		Class:  connectorv1.FailureClass_FAILURE_CLASS_SYSTEM,
		Stream: c.GetState().GetStream(), Account: c.GetState().GetAccount(),
		Message: fmt.Sprintf("The service reports %d records of %s since the previous state, but %d arrived. "+
			"The state was not stored. This is a bug in the service: please report it.",
			c.GetRecords(), c.GetState().GetStream(), arrived),
	}}
}

// sizeOf returns the size of a batch's JSON in bytes.
func sizeOf(batch *connectorv1.RecordBatch) int {
	n := 0
	for _, r := range batch.GetRecords() {
		n += len(r.GetData())
	}
	return n
}
