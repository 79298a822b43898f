package client_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// slow is a destination that calls during in each commit, so that a test can prolong it or make it fail.
type slow struct {
	*memory
	t       *testing.T
	arrived atomic.Int64 // number of bytes of records so far
	// during, if set, is called in each commit. Its error makes the commit fail.
	during func(commit int) error
	begun  atomic.Int64 // number of commits started
}

func (s *slow) Commit(ctx context.Context, c client.Commit) error {
	n := int(s.begun.Add(1))
	if s.during != nil && !s.t.Failed() {
		if err := s.during(n); err != nil {
			return err
		}
	}
	return s.memory.Commit(ctx, c)
}

func (s *slow) observe(_ context.Context, m *connectorv1.ReadResponse) {
	for _, r := range m.GetRecords().GetRecords() {
		s.arrived.Add(int64(len(r.GetData())))
	}
}

// moreArrives waits up to 10 s until more than the given number of bytes have arrived, and reports whether they have.
func (s *slow) moreArrives(than int64) bool {
	deadline := time.Now().Add(10 * time.Second)
	for s.arrived.Load() <= than {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(time.Millisecond)
	}
	return true
}

// padded returns a service with records large enough for many commits.
func padded(records int) *fakeService {
	return &fakeService{streams: []string{"a", "b"}, records: records, page: 10, padding: 50_000}
}

func TestBatchesArriveDuringCommits(t *testing.T) {
	d := &slow{memory: newMemory(), t: t}
	overlapped := 0
	d.during = func(int) error {
		if at := d.arrived.Load(); at < 40_000_000 { // of 60 MB
			if !d.moreArrives(at + 1_000_000) {
				t.Errorf("nothing arrived while a commit was in flight, after %d bytes", at)
			}
			overlapped++
		}
		return nil
	}
	if _, err := connect(t, padded(600)).Sync(t.Context(), client.SyncOptions{Destination: d, Observe: d.observe}); err != nil {
		t.Fatal(err)
	}
	if overlapped < 3 {
		t.Errorf("only %d commits were tried", overlapped)
	}
	wantRows(t, d.memory, "a", 600)
	wantRows(t, d.memory, "b", 600)
}

func TestRecordsWaitingForACommitAreBounded(t *testing.T) {
	const bound = 48<<20 + 4<<20 // heldBytes, and a batch of each stream
	d := &slow{memory: newMemory(), t: t}
	d.during = func(n int) error {
		if n > 2 {
			return nil
		}
		before := d.arrived.Load()
		for last := int64(-1); last != d.arrived.Load(); time.Sleep(300 * time.Millisecond) {
			last = d.arrived.Load()
		}
		if held := d.arrived.Load() - before; held > bound {
			t.Errorf("%d MiB arrived during one commit", held>>20)
		}
		return nil
	}
	if _, err := connect(t, padded(1000)).Sync(t.Context(), client.SyncOptions{Destination: d, Observe: d.observe}); err != nil {
		t.Fatal(err)
	}
	wantRows(t, d.memory, "a", 1000)
	wantRows(t, d.memory, "b", 1000)
}

// TestCommitThatFailsLate makes each commit in turn fail after further records have arrived. No stored state may
// cover lost rows, and resuming must store every row.
func TestCommitThatFailsLate(t *testing.T) {
	const records = 500
	full := errors.New("the disk is full")
	tests := map[string]struct {
		err    error
		resume bool // whether Sync itself resumes
	}{
		"for good":      {full, false},
		"for some time": {&client.Interruption{Err: full}, true},
	}
	for name, test := range tests {
		for failing := 1; failing <= 3; failing++ {
			t.Run(name, func(t *testing.T) {
				d := &slow{memory: newMemory(), t: t}
				d.during = func(n int) error {
					if n != failing {
						return nil
					}
					if at := d.arrived.Load(); at < 30_000_000 {
						d.moreArrives(at + 1_000_000)
					}
					return test.err
				}
				sync := func() error {
					_, err := connect(t, padded(records)).Sync(t.Context(), client.SyncOptions{
						Destination: d, Observe: d.observe, Wait: time.Millisecond})
					return err
				}
				err := sync()
				if int(d.begun.Load()) < failing {
					t.Skipf("it took only %d commits", d.begun.Load())
				}
				if !test.resume {
					if !errors.Is(err, full) {
						t.Fatalf("got %v, want the commit's error", err)
					}
					if got := int(d.begun.Load()); got != failing {
						t.Errorf("%d commits were started after the one that failed", got-failing)
					}
					for stream, state := range d.states {
						wantRows(t, d.memory, stream, int(state.GetContent().GetFields()["next"].GetNumberValue()))
					}
					err = sync()
				}
				if err != nil {
					t.Fatal(err)
				}
				wantRows(t, d.memory, "a", records)
				wantRows(t, d.memory, "b", records)
			})
		}
	}
}
