package connectortest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/stripe-connector/stripe-connector/connector"
)

// outcome is how a Read ended.
type outcome struct {
	messages []connector.Message // that the sink took
	summary  connector.Summary
	err      error
	panicked any  // what Read panicked with
	hung     bool // it did not return
}

// states returns the final states: those of the summary, or else the last one sent of each stream.
func (o *outcome) states() []connector.StreamState {
	var states []connector.StreamState
	for _, s := range o.summary.Streams {
		if len(s.State) > 0 {
			states = append(states, connector.StreamState{Stream: s.Stream, Account: s.Account, State: s.State})
		}
	}
	return states
}

// records returns how many records the sink took.
func (o *outcome) records() int {
	n := 0
	for _, m := range o.messages {
		if batch, ok := m.(*connector.RecordBatch); ok {
			n += len(batch.Records)
		}
	}
	return n
}

// take is what a sink does with the n-th message, from 0. A message is taken if it returns nil.
type take func(ctx context.Context, n int, m connector.Message) error

// sink is the Sink of one Read. It keeps what it takes, after the referee has judged it.
type sink struct {
	t       *trial
	take    take // nil takes everything
	referee *referee
	busy    atomic.Bool
	over    atomic.Bool
	offered int

	mu       sync.Mutex
	messages []connector.Message
}

// Send keeps m, unless take returns an error.
func (s *sink) Send(ctx context.Context, m connector.Message) error {
	if s.over.Load() {
		s.t.broke("one-sender", "Send was called after Read had returned, with a %T", m)
		return errors.New("the Read is over")
	}
	if !s.busy.CompareAndSwap(false, true) {
		s.t.broke("one-sender", "Send was called with a %T while another call was running", m)
	} else {
		defer s.busy.Store(false)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.referee.offered(m)
	n := s.offered
	s.offered++
	if s.take != nil {
		if err := s.try(ctx, n, m); err != nil {
			s.referee.refused(err)
			return err
		}
	}
	s.referee.taken(m)
	s.messages = append(s.messages, cloneMessage(m))
	return nil
}

// try calls take, and records a panic.
func (s *sink) try(ctx context.Context, n int, m connector.Message) error {
	defer func() {
		if p := recover(); p != nil {
			s.referee.refused(errPanic)
			panic(p)
		}
	}()
	return s.take(ctx, n, m)
}

// cloneMessage copies what the source may reuse after Send returns.
func cloneMessage(m connector.Message) connector.Message {
	switch m := m.(type) {
	case *connector.RecordBatch:
		kept := *m
		kept.Records = slices.Clone(m.Records)
		return &kept
	case *connector.StateCheckpoint:
		kept := *m
		kept.State = slices.Clone(m.State)
		return &kept
	case *connector.StreamStatus:
		kept := *m
		return &kept
	}
	return m
}

// read performs a Read, and judges what every Read promises. take may be nil.
func (t *trial) read(ctx context.Context, source connector.Source, req connector.ReadRequest, take take) *outcome {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := &sink{t: t, take: take, referee: newReferee(t, req)}
	done := make(chan *outcome, 1)
	go func() {
		o := &outcome{}
		defer func() {
			o.panicked = recover()
			out.over.Store(true)
			done <- o
		}()
		o.summary, o.err = source.Read(ctx, req, out)
	}()
	o := t.await(ctx, cancel, done)
	out.over.Store(true) // also if Read hangs
	if o.hung {
		return o
	}
	out.mu.Lock()
	defer out.mu.Unlock()
	o.messages = out.messages
	out.referee.end(o)
	return o
}

// await waits for a Read for as long as Options.Patience, and for as long again after its context has ended.
func (t *trial) await(ctx context.Context, cancel func(), done <-chan *outcome) *outcome {
	for range 2 {
		if o := await(t.options.Patience, done); o != nil {
			return o
		}
		if ctx.Err() == nil { // the suite hadn't cancelled it
			cancel()
			continue
		}
		break
	}
	t.broke("cancellation", "Read had not returned %v after its context ended", t.options.Patience)
	return &outcome{hung: true, err: context.DeadlineExceeded}
}

// mustRead performs an undisturbed Read, and returns nil unless it succeeds with every stream
// complete.
func (t *trial) mustRead(ctx context.Context, source connector.Source, req connector.ReadRequest, promise string) *outcome {
	o := t.read(ctx, source, req, nil)
	switch {
	case o.hung:
		return nil
	case o.panicked != nil:
		t.broke(promise, "Read panicked: %v", o.panicked)
		return nil
	case o.err != nil:
		t.broke(promise, "Read failed: %v", o.err)
		return nil
	}
	for _, s := range o.summary.Streams {
		if s.Status != connector.Complete {
			t.broke(promise, "an undisturbed Read left %s %s: %v", s.Stream, s.Status, failureText(s.Failure))
			return nil
		}
	}
	return o
}

func failureText(f *connector.Failure) string {
	if f == nil {
		return "without a failure"
	}
	return f.Error()
}

// jsonOf returns any value as JSON, for comparison and search.
func jsonOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
