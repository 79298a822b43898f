package emit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
)

// recorder is a sink that records a one-line summary of each message and fails as its hook says.
type recorder struct {
	mu    sync.Mutex
	lines []string
	hook  func(ctx context.Context, m connector.Message) error
}

func (r *recorder) Send(ctx context.Context, m connector.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hook != nil {
		if err := r.hook(ctx, m); err != nil {
			return err
		}
	}
	r.lines = append(r.lines, describe(m))
	return nil
}

func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := r.lines
	r.lines = nil
	return lines
}

func describe(m connector.Message) string {
	switch m := m.(type) {
	case *connector.RecordBatch:
		return fmt.Sprintf("%s: %d records", m.Stream, len(m.Records))
	case *connector.StateCheckpoint:
		return fmt.Sprintf("%s: state %s after %d", m.Stream, m.State, m.Records)
	case *connector.StreamStatus:
		return fmt.Sprintf("%s: %s %d", m.Stream, m.Status, m.Generation)
	case *connector.Progress:
		return "heartbeat"
	case *connector.LogEntry:
		return "log: " + m.Message
	}
	return "?"
}

// counter is a stream whose cursor counts its records.
type counter struct {
	*emit.Stream
	emitter *emit.Emitter
	read    int
}

func newCounter(e *emit.Emitter, name string) *counter {
	c := &counter{emitter: e}
	c.Stream = e.Stream(emit.StreamOptions{Name: name, Checkpoint: func() (emit.Checkpoint, error) {
		return emit.Checkpoint{State: json.RawMessage(fmt.Sprint(c.read))}, nil
	}})
	return c
}

func (c *counter) send(ctx context.Context, n int, states emit.States) error {
	return c.emitter.Commit(ctx, emit.Commit{
		Batches: []emit.Batch{{Stream: c.Stream, Records: records(n, connector.Upsert)}},
		Streams: []*emit.Stream{c.Stream},
		Advance: func() { c.read += n },
		States:  states,
	})
}

func records(n int, operation connector.Operation) []connector.Record {
	all := make([]connector.Record, n)
	for i := range all {
		all[i] = connector.Record{Data: `{"id":1}`, Operation: operation}
	}
	return all
}

// quiet keeps heartbeats out of tests that are not about them.
var quiet = emit.Options{Heartbeat: time.Hour}

func TestLifeOfAStream(t *testing.T) {
	sink := &recorder{}
	e := emit.New(connector.ReadRequest{CheckpointPages: 2, CheckpointInterval: time.Hour}, sink, quiet)
	c := newCounter(e, "a")
	summary, err := e.Run(t.Context(), func(ctx context.Context) error {
		for _, step := range []func() error{
			func() error { return c.Begin(ctx, 7) },
			func() error { return c.send(ctx, 3, emit.StatesDue) },
			func() error { return c.send(ctx, 2, emit.StatesDue) },
			func() error { return c.send(ctx, 0, emit.StatesNow) },
			func() error { return c.Complete(ctx) },
			func() error { return c.send(ctx, 9, emit.StatesNow) }, // dropped, since the stream has ended
			func() error { return c.Complete(ctx) },
		} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"a: STARTED 7", "a: RUNNING 7", "a: 3 records", "a: 2 records", "a: state 5 after 5", "a: state 5 after 0", "a: COMPLETE 7",
	}
	if diff := cmp.Diff(want, sink.take()); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	got := summary.Streams[0]
	if got.Upserts != 5 || got.Bytes != 40 || got.Status != connector.Complete || string(got.State) != "5" || summary.HasMore {
		t.Errorf("summary: %+v", summary)
	}
}

// A state never covers a record that wasn't sent, whichever message the sink fails at.
func TestInvariantWhereverTheSinkFails(t *testing.T) {
	for failAt := range 12 {
		var sent, covered int
		n := 0
		sink := &recorder{hook: func(_ context.Context, m connector.Message) error {
			if n++; n > failAt {
				return errors.New("broken pipe")
			}
			switch m := m.(type) {
			case *connector.RecordBatch:
				sent += len(m.Records)
			case *connector.StateCheckpoint:
				if _, err := fmt.Sscan(string(m.State), &covered); err != nil {
					t.Error(err)
				}
			}
			return nil
		}}
		e := emit.New(connector.ReadRequest{CheckpointPages: 1}, sink, quiet)
		c := newCounter(e, "a")
		_, err := e.Run(t.Context(), func(ctx context.Context) error {
			_ = c.Begin(ctx, 1)
			for range 5 {
				_ = c.send(ctx, 2, emit.StatesDue) // a source that ignores errors
			}
			return c.Complete(ctx)
		})
		if err == nil || err.Error() != "broken pipe" {
			t.Errorf("sink fails at message %d: Run returned %v", failAt, err)
		}
		if covered > sent {
			t.Errorf("sink fails at message %d: the last state covers %d records, but only %d were sent", failAt, covered, sent)
		}
	}
}

// An error of the sink, whatever its class, ends the Read with that error and isn't seen as a failure of the source.
func TestSinkErrorEndsTheRead(t *testing.T) {
	for _, sunk := range []error{
		errors.New("closed"),
		&connector.Failure{Class: connector.Transient, Message: "down"},
		&connector.Failure{Class: connector.PermissionError, Message: "no"},
		&connector.Failure{Class: connector.AuthError, Message: "no"},
	} {
		sink := &recorder{hook: func(_ context.Context, m connector.Message) error {
			if _, ok := m.(*connector.RecordBatch); ok {
				return sunk
			}
			return nil
		}}
		e := emit.New(connector.ReadRequest{}, sink, quiet)
		c := newCounter(e, "a")
		_, err := e.Run(t.Context(), func(ctx context.Context) error {
			if err := c.Begin(ctx, 1); err != nil {
				return err
			}
			err := c.send(ctx, 1, emit.StatesNow)
			if _, ok := errors.AsType[*connector.Failure](err); ok {
				t.Errorf("%v: the source mistakes the sink's error for a failure", sunk)
			}
			<-ctx.Done() // the sink's error ends the context
			return nil
		})
		if !errors.Is(err, sunk) {
			t.Errorf("Run returned %v, want the sink's error %v", err, sunk)
		}
	}
}

func TestUncarriableRecordEndsOnlyItsStream(t *testing.T) {
	sink := &recorder{hook: func(_ context.Context, m connector.Message) error {
		if batch, ok := m.(*connector.RecordBatch); ok && batch.Stream == "a" {
			return &connector.Failure{Class: connector.SourceData, Message: "too large"}
		}
		return nil
	}}
	e := emit.New(connector.ReadRequest{}, sink, quiet)
	a, b := newCounter(e, "a"), newCounter(e, "b")
	summary, err := e.Run(t.Context(), func(ctx context.Context) error {
		for _, c := range []*counter{a, b} {
			if err := errors.Join(c.Begin(ctx, 1), c.send(ctx, 1, emit.StatesNow), c.Complete(ctx)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"a: STARTED 1", "a: RUNNING 1", "a: INCOMPLETE 1", "b: STARTED 1", "b: RUNNING 1", "b: 1 records", "b: state 1 after 1", "b: COMPLETE 1",
	}
	if diff := cmp.Diff(want, sink.take()); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if !summary.HasMore || summary.Streams[0].Failure.Class != connector.SourceData {
		t.Errorf("summary: %+v", summary)
	}
}

func TestPanicsEndTheRead(t *testing.T) {
	const secret = "customer@example.com"
	for name, panics := range map[string]func(ctx context.Context){
		"in read": func(context.Context) { panic(secret) },
		"in a goroutine of a group": func(ctx context.Context) {
			group, groupCtx := emit.NewGroup(ctx)
			group.Go(func() error { <-groupCtx.Done(); return groupCtx.Err() })
			group.Go(func() error { panic(secret) })
			if err := group.Wait(); err != nil {
				panic(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := emit.New(connector.ReadRequest{}, &recorder{}, quiet)
			_, err := e.Run(t.Context(), func(ctx context.Context) error { panics(ctx); return nil })
			failure, ok := errors.AsType[*connector.Failure](err)
			if !ok || failure.Class != connector.System || !strings.Contains(failure.Internal, "emit_test.go") {
				t.Fatalf("Run returned %#v", err)
			}
			if strings.Contains(failure.Message, ".go") || strings.Contains(failure.Message+failure.Internal, secret) {
				t.Errorf("the failure reveals too much: %+v", failure)
			}
		})
	}
	t.Run("in the sink", func(t *testing.T) {
		e := emit.New(connector.ReadRequest{}, &recorder{hook: func(context.Context, connector.Message) error { panic(1) }}, quiet)
		c := newCounter(e, "a")
		_, err := e.Run(t.Context(), func(ctx context.Context) error { _ = c.Begin(ctx, 1); return nil })
		if failure, ok := errors.AsType[*connector.Failure](err); !ok || failure.Class != connector.System {
			t.Fatalf("Run returned %#v", err)
		}
	})
	t.Run("in a cursor", func(t *testing.T) {
		e := emit.New(connector.ReadRequest{}, &recorder{}, quiet)
		c := newCounter(e, "a")
		_, err := e.Run(t.Context(), func(ctx context.Context) error {
			return e.Commit(ctx, emit.Commit{Streams: []*emit.Stream{c.Stream}, Advance: func() { panic(1) }})
		})
		if failure, ok := errors.AsType[*connector.Failure](err); !ok || failure.Class != connector.System {
			t.Fatalf("Run returned %#v", err)
		}
	})
}

func TestStatesByPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &recorder{}
		e := emit.New(connector.ReadRequest{CheckpointPages: 1000, CheckpointInterval: 4 * time.Second}, sink, quiet)
		c := newCounter(e, "a")
		var at []time.Duration
		began := time.Now()
		_, err := e.Run(t.Context(), func(ctx context.Context) error {
			_ = c.Begin(ctx, 1)
			for range 300 {
				time.Sleep(100 * time.Millisecond)
				if err := c.send(ctx, 1, emit.StatesDue); err != nil {
					return err
				}
				for _, line := range sink.take() {
					if strings.Contains(line, "state") {
						at = append(at, time.Since(began))
					}
				}
			}
			return c.Complete(ctx)
		})
		if err != nil {
			t.Fatal(err)
		}
		if at[0] > time.Second {
			t.Errorf("the first state came after %v: a client that is killed every second makes no progress", at[0])
		}
		for i := 1; i < len(at); i++ {
			if gap := at[i] - at[i-1]; gap > 4*time.Second {
				t.Errorf("no state for %v, want one at least every 4s", gap)
			}
		}
		if last := at[len(at)-1] - at[len(at)-2]; last != 4*time.Second {
			t.Errorf("later states come every %v, want 4s", last)
		}
	})
}

func TestLimits(t *testing.T) {
	drained := make(chan struct{})
	close(drained)
	for name, req := range map[string]connector.ReadRequest{
		"record limit":  {RecordLimit: 10},
		"soft deadline": {SoftDeadline: time.Minute},
		"drain":         {Drain: drained},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := emit.New(req, &recorder{}, quiet)
				c := newCounter(e, "a")
				summary, err := e.Run(t.Context(), func(ctx context.Context) error {
					for !e.Stopped() {
						time.Sleep(time.Second)
						if err := errors.Join(c.Begin(ctx, 1), c.send(ctx, 1, emit.StatesNow)); err != nil {
							return err
						}
					}
					return nil
				})
				got := summary.Streams
				if err != nil || !summary.HasMore || got[0].Status != connector.Incomplete || got[0].Failure != nil {
					t.Errorf("%+v, %v", summary, err)
				}
				if name == "record limit" && got[0].Upserts != 10 {
					t.Errorf("%d records sent, want the limit of 10", got[0].Upserts)
				}
			})
		})
	}
}

// A source that hangs after its deadline is cut short.
func TestCutShortAfterGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := emit.New(connector.ReadRequest{SoftDeadline: time.Minute}, &recorder{}, quiet)
		newCounter(e, "a")
		began := time.Now()
		summary, err := e.Run(t.Context(), func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		if err != nil || !summary.HasMore || time.Since(began) != time.Minute+emit.Grace {
			t.Errorf("after %v: %+v, %v", time.Since(began), summary, err)
		}
	})
}

func TestHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &recorder{}
		e := emit.New(connector.ReadRequest{}, sink, emit.Options{})
		_, err := e.Run(t.Context(), func(context.Context) error { time.Sleep(21 * time.Second); return nil })
		if err != nil || len(sink.take()) != 10 {
			t.Errorf("%v, %v", sink.lines, err)
		}
	})
}

func TestWithheldOperations(t *testing.T) {
	sink := &recorder{}
	e := emit.New(connector.ReadRequest{AcceptedOperations: []connector.Operation{connector.Upsert}}, sink, quiet)
	c := newCounter(e, "a")
	summary, err := e.Run(t.Context(), func(ctx context.Context) error {
		_ = c.Begin(ctx, 1)
		for range 2 {
			all := append(records(2, connector.Upsert), append(records(1, connector.Delete), records(3, connector.DeleteMatching)...)...)
			err := e.Commit(ctx, emit.Commit{Batches: []emit.Batch{{Stream: c.Stream, Records: all}}, Streams: []*emit.Stream{c.Stream}, Advance: func() {}, States: emit.StatesNow})
			if err != nil {
				return err
			}
		}
		return c.Complete(ctx)
	})
	if err != nil {
		t.Fatal(err)
	}
	var logs, carried int
	for _, line := range sink.take() {
		if strings.HasPrefix(line, "log:") {
			logs++
		}
		if strings.HasSuffix(line, "2 records") {
			carried++
		}
	}
	if got := summary.Streams[0]; got.Withheld != 8 || got.Upserts != 4 || got.Deletes+got.DeletesMatching != 0 || logs != 1 || carried != 2 {
		t.Errorf("%d log entries, %d batches, %+v", logs, carried, got)
	}
}

// A Read with Follow is COMPLETE again only after new records, and repeats an unchanged state only every idleInterval.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &recorder{}
		e := emit.New(connector.ReadRequest{Follow: true}, sink, quiet)
		c := newCounter(e, "a")
		_, err := e.Run(t.Context(), func(ctx context.Context) error {
			_ = c.Begin(ctx, 1)
			for n := range 10 {
				time.Sleep(5 * time.Second)
				if err := errors.Join(c.send(ctx, n/9, emit.StatesNow), c.Complete(ctx)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{
			"a: STARTED 1", "a: state 0 after 0", "a: COMPLETE 1", "a: state 0 after 0",
			"a: RUNNING 1", "a: 1 records", "a: state 1 after 1", "a: COMPLETE 1", "a: INCOMPLETE 1",
		}
		if diff := cmp.Diff(want, sink.take()); diff != "" {
			t.Errorf("messages (-want +got):\n%s", diff)
		}
	})
}

// A stream that the key may not read is SKIPPED. With a state it is INCOMPLETE instead, and keeps its state and generation.
func TestRefusedStreams(t *testing.T) {
	e := emit.New(connector.ReadRequest{}, &recorder{}, quiet)
	fresh := e.Stream(emit.StreamOptions{Name: "a"})
	known := e.Stream(emit.StreamOptions{Name: "b", Given: json.RawMessage("3"), GivenGeneration: 5})
	refusal := &connector.Failure{Class: connector.PermissionError, Message: "no"}
	summary, err := e.Run(t.Context(), func(ctx context.Context) error {
		return errors.Join(fresh.Begin(ctx, 9), fresh.Fail(ctx, refusal), known.Begin(ctx, 9), known.Fail(ctx, refusal))
	})
	if got := summary.Streams[0]; err != nil || got.Generation != 0 || got.Status != connector.Skipped {
		t.Errorf("the stream without a state: %+v, %v", got, err)
	}
	if got := summary.Streams[1]; got.Generation != 5 || string(got.State) != "3" || got.Status != connector.Incomplete || got.Failure.Class != connector.PermissionError {
		t.Errorf("the stream with a state: %+v", got)
	}
}

// After cancellation, Run returns the context's error and no goroutine keeps running.
func TestCanceledRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		e := emit.New(connector.ReadRequest{}, &recorder{}, emit.Options{})
		time.AfterFunc(time.Minute, cancel)
		_, err := e.Run(ctx, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	})
}

// A stream that ends first sends the state for its last commits, however it ends.
func TestLastStateIsSent(t *testing.T) {
	for status, end := range map[string]func(*emit.Stream, context.Context) error{
		"COMPLETE":   (*emit.Stream).Complete,
		"INCOMPLETE": (*emit.Stream).Stop,
	} {
		t.Run(status, func(t *testing.T) {
			sink := &recorder{}
			e := emit.New(connector.ReadRequest{CheckpointInterval: time.Hour}, sink, quiet)
			c := newCounter(e, "a")
			_, err := e.Run(t.Context(), func(ctx context.Context) error {
				return errors.Join(c.Begin(ctx, 1), c.send(ctx, 2, emit.StatesDue), end(c.Stream, ctx))
			})
			want := []string{"a: STARTED 1", "a: RUNNING 1", "a: 2 records", "a: state 2 after 2", "a: " + status + " 1"}
			if diff := cmp.Diff(want, sink.take()); diff != "" || err != nil {
				t.Errorf("%v, messages (-want +got):\n%s", err, diff)
			}
		})
	}
}

// A heartbeat that is being sent when the source finishes is completed: the sink isn't interrupted, and its error counts.
func TestLastHeartbeat(t *testing.T) {
	for name, test := range map[string]struct {
		after time.Duration // time from the start of the heartbeat until the caller cancels
		want  error
	}{
		"sent":     {time.Hour, nil},
		"canceled": {time.Second, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var failed error
				sink := &recorder{hook: func(ctx context.Context, m connector.Message) error {
					if _, ok := m.(*connector.Progress); !ok {
						return nil
					}
					defer time.AfterFunc(test.after, cancel).Stop()
					select {
					case <-time.After(time.Minute):
					case <-ctx.Done():
						failed = ctx.Err()
					}
					return failed
				}}
				e := emit.New(connector.ReadRequest{}, sink, emit.Options{Heartbeat: time.Second})
				c := newCounter(e, "a")
				_, err := e.Run(ctx, func(ctx context.Context) error {
					if err := errors.Join(c.Begin(ctx, 1), c.send(ctx, 1, emit.StatesNow), c.Complete(ctx)); err != nil {
						return err
					}
					time.Sleep(1500 * time.Millisecond) // the heartbeat has started
					return nil
				})
				if !errors.Is(err, test.want) || !errors.Is(failed, test.want) {
					t.Errorf("the sink failed with %v, and Run returned %v, want %v", failed, err, test.want)
				}
			})
		})
	}
}

// A record that the sink can't carry is found within its batch. The others are sent in order, and Refused decides whether
// the stream continues.
func TestUncarriableRecordsAreSetAside(t *testing.T) {
	for name, test := range map[string]struct {
		bad  []int
		most int // that the source accepts
		want []string
	}{
		"one":      {[]int{3}, 9, []string{"a: STARTED 1", "a: RUNNING 1", "a: 2 records", "a: 1 records", "log: bad", "a: 4 records", "a: state 8 after 7", "log: aside", "a: COMPLETE 1"}},
		"all":      {[]int{0, 1, 2, 3, 4, 5, 6, 7}, 9, append(append([]string{"a: STARTED 1", "a: RUNNING 1"}, slices.Repeat([]string{"log: bad"}, 8)...), "a: state 8 after 0", "log: aside", "a: COMPLETE 1")},
		"too many": {[]int{1, 4, 5}, 2, []string{"a: STARTED 1", "a: RUNNING 1", "a: 1 records", "log: bad", "a: 2 records", "log: bad", "a: INCOMPLETE 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			sink := &recorder{hook: func(_ context.Context, m connector.Message) error {
				switch m := m.(type) {
				case *connector.RecordBatch:
					for _, record := range m.Records {
						if slices.ContainsFunc(test.bad, func(i int) bool { return record.Key == fmt.Sprint(i) }) {
							return &connector.Failure{Class: connector.SourceData, Message: "too large"}
						}
					}
				case *connector.LogEntry:
					m.Message = map[bool]string{true: "bad", false: "aside"}[strings.Contains(m.Message, "too large")]
				}
				return nil
			}}
			e := emit.New(connector.ReadRequest{}, sink, quiet)
			var aside []connector.SetAside
			read := 0
			s := e.Stream(emit.StreamOptions{
				Name:       "a",
				Checkpoint: func() (emit.Checkpoint, error) { return emit.Checkpoint{State: json.RawMessage(fmt.Sprint(read))}, nil },
				Refused: func(record connector.Record, failure *connector.Failure) *connector.Failure {
					if len(aside) == test.most {
						return failure
					}
					aside = append(aside, connector.SetAside{Key: record.Key, Failure: failure})
					return nil
				},
				SetAside: func() []connector.SetAside { return aside },
			})
			summary, err := e.Run(t.Context(), func(ctx context.Context) error {
				if err := s.Begin(ctx, 1); err != nil {
					return err
				}
				batch := records(8, connector.Upsert)
				for i := range batch {
					batch[i].Key = fmt.Sprint(i)
				}
				err := e.Commit(ctx, emit.Commit{
					Batches: []emit.Batch{{Stream: s, Records: batch}}, Streams: []*emit.Stream{s}, States: emit.StatesNow, Advance: func() { read += 8 },
				})
				return errors.Join(err, s.Complete(ctx))
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, sink.take()); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
			if got := summary.Streams[0]; got.SetAsideTotal != int64(min(len(test.bad), test.most)) || got.SetAside[0].Key != fmt.Sprint(test.bad[0]) {
				t.Errorf("summary: %+v", got)
			}
		})
	}
}
