package client

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// gate is a destination whose commits block until the test releases them.
type gate struct {
	Destination
	release chan struct{}
	commits []Commit
}

func (g *gate) Commit(_ context.Context, c Commit) error {
	g.commits = append(g.commits, c)
	<-g.release
	return nil
}

// gated is a loader that commits to a gate.
type gated struct {
	*gate
	*loader
	t *testing.T
}

func newGated(t *testing.T) gated {
	g := &gate{release: make(chan struct{}, 100)}
	l := newLoader(g, nil)
	l.committed, l.refused, l.advanced = func(*connectorv1.RecordBatch) {}, func(Refusal) {}, func() {}
	return gated{g, l, t}
}

// rows sends one record of size MiB.
func (g gated) rows(stream string, size int) {
	g.t.Helper()
	if err := g.records(g.t.Context(), &connectorv1.RecordBatch{Stream: stream, Records: []*connectorv1.Record{
		{Data: strings.Repeat("x", size<<20)}}}); err != nil {
		g.t.Fatal(err)
	}
	synctest.Wait()
}

func (g gated) checkpoint(stream string, records int64) {
	g.t.Helper()
	if err := g.state(g.t.Context(), &connectorv1.StateCheckpoint{Records: records,
		State: &connectorv1.StreamState{Stream: stream, Content: &structpb.Struct{}}}); err != nil {
		g.t.Fatal(err)
	}
	synctest.Wait()
}

// wantCommit checks that there are n commits, and which streams have batches and states in the last one.
func (g gated) wantCommit(n int, records, states []string) {
	g.t.Helper()
	if len(g.commits) != n {
		g.t.Fatalf("%d commits were started, want %d", len(g.commits), n)
	}
	var gotRecords, gotStates []string
	for _, b := range g.commits[n-1].Records {
		gotRecords = append(gotRecords, b.GetStream())
	}
	for _, s := range g.commits[n-1].States {
		gotStates = append(gotStates, s.GetStream())
	}
	if !slices.Equal(gotRecords, records) || !slices.Equal(gotStates, states) {
		g.t.Errorf("commit %d has rows of %q and states of %q, want %q and %q", n, gotRecords, gotStates, records, states)
	}
}

// TestReadWaitsForOnlyOneCommit fills the loader while a commit is in flight. The Read must wait only for that
// commit: the next one takes everything, covered by a state or not. If the Read also waited for the next one, this
// test would deadlock.
func TestReadWaitsForOnlyOneCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGated(t)
		g.rows("a", 5)
		g.wantCommit(1, []string{"a"}, nil)
		g.rows("a", 25)
		g.checkpoint("a", 2)
		g.rows("b", 20)
		g.wantCommit(1, []string{"a"}, nil) // more can wait
		g.release <- struct{}{}
		g.rows("b", 10)
		g.wantCommit(2, []string{"a", "b", "b"}, []string{"a"})
		g.rows("b", 5) // doesn't wait
		close(g.release)
		if err := g.finish(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		g.wantCommit(3, []string{"b"}, nil)
	})
}

// TestStateCoversNoLaterRows sends rows after a state. They must not join the commit of that state, nor the commit
// of the stream's completion.
func TestStateCoversNoLaterRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGated(t)
		g.rows("a", 5)
		g.rows("a", 1)
		g.checkpoint("a", 2)
		g.rows("a", 30)
		g.rows("b", 15)
		g.release <- struct{}{}
		g.rows("b", 10)
		g.wantCommit(2, []string{"a", "b", "b"}, []string{"a"})
		if n := len(g.commits[1].Records[0].GetRecords()[0].GetData()); n != 1<<20 {
			t.Errorf("the state is committed with a batch of %d bytes after it", n)
		}
		g.release <- struct{}{}
		g.rows("b", 18)
		g.wantCommit(3, []string{"a", "b"}, nil)
		g.release <- struct{}{}
		time.Sleep(commitInterval)
		g.checkpoint("b", 3)
		g.wantCommit(4, nil, []string{"b"})
		g.status(&connectorv1.StreamStatusChange{Stream: "b", Status: connectorv1.StreamStatus_STREAM_STATUS_COMPLETE, Generation: 1})
		g.rows("b", 24)
		g.release <- struct{}{}
		g.rows("a", 24)
		g.wantCommit(5, []string{"a"}, nil)
		if len(g.commits[4].Completed) != 1 {
			t.Errorf("completed are %v, want b", g.commits[4].Completed)
		}
		close(g.release)
		if err := g.finish(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		g.wantCommit(6, []string{"b"}, nil)
	})
}
