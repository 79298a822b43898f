package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

const complete = connectorv1.StreamStatus_STREAM_STATUS_COMPLETE

// counts are options that compare reports without what depends on the clock.
var counts = cmp.Options{
	cmpopts.IgnoreFields(client.StreamReport{}, "Duration", "Bytes"),
	cmpopts.IgnoreFields(client.Report{}, "Duration"),
	protocmp.Transform(),
}

func TestSync(t *testing.T) {
	f := &fakeService{streams: []string{"a", "b"}, records: 100, page: 10}
	m := newMemory()
	c := connect(t, f)
	report, err := c.Sync(t.Context(), client.SyncOptions{Destination: m})
	if err != nil {
		t.Fatal(err)
	}
	want := &client.Report{Reads: 1, Requests: 1, Streams: []client.StreamReport{
		{Stream: "a", Status: complete, Upserts: 86, Deletes: 14},
		{Stream: "b", Status: complete, Upserts: 86, Deletes: 14},
	}}
	if diff := cmp.Diff(want, report, counts); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	wantRows(t, m, "a", 100)
	wantRows(t, m, "b", 100)

	f.records = 120
	if _, err := c.Sync(t.Context(), client.SyncOptions{Destination: m, Selection: client.Selection{Select: []string{"b"}}}); err != nil {
		t.Fatal(err)
	}
	wantRows(t, m, "a", 100)
	wantRows(t, m, "b", 120)
	second := f.reads[1]
	if len(second.GetStates()) != 1 || second.GetStates()[0].GetContent().GetFields()["next"].GetNumberValue() != 100 {
		t.Errorf("the second sync began from %v, want the state of b", second.GetStates())
	}
	if mode := second.GetStreams()[0].GetSyncMode(); mode != connectorv1.SyncMode_SYNC_MODE_INCREMENTAL {
		t.Errorf("got mode %s, want INCREMENTAL, which the stream supports", mode)
	}
}

func TestSyncResumes(t *testing.T) {
	broken := errors.New("broken") // ends the Read with code UNKNOWN and without a Failure, as a proxy may do
	tests := map[string]func(read int, stream string, next int) error{
		"service restarts": func(read int, _ string, next int) error {
			if next >= read*20 {
				return status.Error(codes.Unavailable, "draining")
			}
			return nil
		},
		"failure that passes": func(read int, stream string, next int) error {
			if read < 4 && next == 50 {
				return statusOf(codes.ResourceExhausted, transient(stream))
			}
			return nil
		},
		"connection breaks": func(read int, stream string, _ int) error {
			if read == 1 && stream == "b" {
				return broken
			}
			return nil
		},
		"no summary, the last time": func(read int, stream string, _ int) error {
			if read == 1 && stream == "" {
				return broken
			}
			return nil
		},
	}
	for name, before := range tests {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			f := &fakeService{streams: []string{"a", "b"}, records: 100, page: 10, before: before}
			report, err := connect(t, f).Sync(t.Context(), client.SyncOptions{Destination: m, Wait: time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			wantRows(t, m, "a", 100)
			wantRows(t, m, "b", 100)
			for _, s := range report.Streams {
				if s.Upserts != 86 || s.Deletes != 14 || s.Status != complete {
					t.Errorf("got %+v, want each record once", s)
				}
			}
		})
	}
}

func TestSyncReadsCompletedStreamsOnce(t *testing.T) {
	f := &fakeService{streams: []string{"a", "b"}, records: 30, page: 10,
		failures: func(read int, stream string) *connectorv1.Failure {
			if read == 1 && stream == "b" {
				return transient(stream)
			}
			return nil
		}}
	m := newMemory()
	if _, err := connect(t, f).Sync(t.Context(), client.SyncOptions{Destination: m, Wait: time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	if again := f.reads[1].GetStreams(); len(again) != 1 || again[0].GetStream() != "b" {
		t.Errorf("the second Read asked for %v, want b alone", again)
	}
	wantRows(t, m, "b", 30)
}

func TestSyncResumesWithWorkLeft(t *testing.T) {
	pages := 0
	f := &fakeService{streams: []string{"a", "b"}, records: 100, page: 10, drains: func(int, string) bool {
		pages++
		return pages%4 == 0
	}}
	m := newMemory()
	report, err := connect(t, f).Sync(t.Context(), client.SyncOptions{Destination: m, Attempts: 2, Wait: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	wantRows(t, m, "a", 100)
	wantRows(t, m, "b", 100)
	if report.Reads < 4 {
		t.Errorf("got %d Reads", report.Reads)
	}
}

func TestSyncGivesUpOnWorkThatNeverEnds(t *testing.T) {
	f := &fakeService{streams: []string{"a", "b"}, records: 100, page: 10,
		drains: func(_ int, stream string) bool { return stream == "b" }}
	m := newMemory()
	report, err := connect(t, f).Sync(t.Context(), client.SyncOptions{Destination: m, Attempts: 3, Wait: time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "without progress: The service ended the Read with work left on b.") {
		t.Errorf("got error %v", err)
	}
	if report.Reads != 4 {
		t.Errorf("got %d Reads, want one that brought something and three that did not", report.Reads)
	}
	wantRows(t, m, "a", 100)
}

func TestSyncReportsStreamsThatFail(t *testing.T) {
	bad := &connectorv1.Failure{Class: connectorv1.FailureClass_FAILURE_CLASS_SOURCE_DATA, Message: "An object is too large."}
	denied := &connectorv1.Failure{Class: connectorv1.FailureClass_FAILURE_CLASS_PERMISSION, Message: "Not allowed."}
	f := &fakeService{streams: []string{"a", "b", "c"}, records: 20, page: 10,
		failures: func(_ int, stream string) *connectorv1.Failure {
			return map[string]*connectorv1.Failure{"a": bad, "b": denied}[stream]
		}}
	m := newMemory()
	report, err := connect(t, f).Sync(t.Context(), client.SyncOptions{Destination: m})
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Failure.GetMessage() != bad.GetMessage() {
		t.Errorf("got error %v, want the failure of a", err)
	}
	want := &client.Report{Reads: 1, Requests: 1, Streams: []client.StreamReport{
		{Stream: "a", Status: connectorv1.StreamStatus_STREAM_STATUS_INCOMPLETE, Failure: bad, Upserts: 9, Deletes: 1},
		{Stream: "b", Status: connectorv1.StreamStatus_STREAM_STATUS_SKIPPED, Failure: denied, Upserts: 9, Deletes: 1},
		{Stream: "c", Status: complete, Upserts: 18, Deletes: 2},
	}}
	if diff := cmp.Diff(want, report, counts); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if total := report.Total(); total.Upserts != 36 || total.Deletes != 4 ||
		total.Status != connectorv1.StreamStatus_STREAM_STATUS_INCOMPLETE {
		t.Errorf("got total %+v", total)
	}
}

func TestSyncFails(t *testing.T) {
	invalid := statusOf(codes.InvalidArgument, &connectorv1.Failure{
		Class: connectorv1.FailureClass_FAILURE_CLASS_CONFIG, Message: "The configuration is wrong.",
		Violations: []*connectorv1.FieldViolation{{Field: "config.start_date", Description: "Write it as 2024-01-31."}}})
	tests := map[string]struct {
		before  func(read int, stream string, next int) error
		streams []string
		refuse  error
		reads   int
		want    string
	}{
		"bad request": {
			before: func(int, string, int) error { return invalid }, reads: 1,
			want: "The configuration is wrong.; config.start_date: Write it as 2024-01-31.",
		},
		"no progress": {
			before: func(_ int, _ string, next int) error {
				if next == 20 {
					return statusOf(codes.Unavailable, transient(""))
				}
				return nil
			},
			reads: 4, want: "gave up after 3 attempts in a row without progress: Stripe is out of order.",
		},
		"destination":   {refuse: errors.New("the disk is full"), reads: 1, want: "store rows: the disk is full"},
		"unknown":       {streams: []string{"b", "x"}, want: `streams[1]: There is no stream "x". Did you mean "a"? Discover lists all 2.`},
		"not a service": {before: func(int, string, int) error { return status.Error(codes.Unimplemented, "x") }, reads: 1, want: "Check the target"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			m.refuse = test.refuse
			f := &fakeService{streams: []string{"a", "b"}, records: 100, page: 10, before: test.before}
			report, err := connect(t, f).Sync(t.Context(), client.SyncOptions{
				Destination: m, Selection: client.Selection{Select: test.streams}, Attempts: 3, Wait: time.Millisecond})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want %q", err, test.want)
			}
			if report.Reads != test.reads {
				t.Errorf("got %d reads, want %d", report.Reads, test.reads)
			}
		})
	}
}

func TestSyncRefusesStateWithMissingRecords(t *testing.T) {
	m := newMemory()
	_, err := connect(t, lossy{&fakeService{streams: []string{"a"}}}).Sync(t.Context(), client.SyncOptions{Destination: m})
	if err == nil || !strings.Contains(err.Error(), "reports 2 records of a since the previous state, but 1 arrived") {
		t.Errorf("got error %v", err)
	}
	if len(m.states) != 0 {
		t.Errorf("stored %v", m.states)
	}
}

func TestCanceledSyncStoresWhatArrived(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f := &fakeService{streams: []string{"a"}, records: 1000, page: 10, before: func(_ int, _ string, next int) error {
		if next < 100 {
			return nil
		}
		<-ctx.Done() // otherwise, all records might arrive before the client notices the cancellation
		return ctx.Err()
	}}
	m := newMemory()
	checkpoints := 0
	_, err := connect(t, f).Sync(ctx, client.SyncOptions{Destination: m, Observe: func(_ context.Context, r *connectorv1.ReadResponse) {
		if r.GetCheckpoint() != nil {
			if checkpoints++; checkpoints == 5 {
				cancel()
			}
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want context.Canceled", err)
	}
	next := int(m.states["a"].GetContent().GetFields()["next"].GetNumberValue())
	if next < 50 {
		t.Errorf("the state stored is %d, want at least the fifth, 50", next)
	}
	wantRows(t, m, "a", next)
}

func TestSyncWaitsAsLongAsTheServiceAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failure := transient("")
		failure.RetryAfter = durationpb.New(time.Hour)
		f := &fakeService{streams: []string{"a"}, records: 10, page: 10, before: func(read int, _ string, _ int) error {
			if read == 1 {
				return statusOf(codes.Unavailable, failure)
			}
			return nil
		}}
		var noticed []string
		report, err := connect(t, f).Sync(t.Context(), client.SyncOptions{Destination: newMemory(),
			Observe: func(_ context.Context, m *connectorv1.ReadResponse) {
				if log := m.GetLog(); log != nil {
					noticed = append(noticed, log.GetMessage())
				}
			}})
		if err != nil {
			t.Fatal(err)
		}
		if report.Duration < time.Hour || report.Duration > time.Hour+time.Minute {
			t.Errorf("took %s, want an hour", report.Duration)
		}
		if len(noticed) != 1 || !strings.Contains(noticed[0], "resumes in 1h0m0s") {
			t.Errorf("told %q", noticed)
		}
	})
}

func TestSyncGathersStates(t *testing.T) {
	f := &fakeService{streams: []string{"a"}, records: 5000, page: 10}
	m := newMemory()
	if _, err := connect(t, f).Sync(t.Context(), client.SyncOptions{Destination: m}); err != nil {
		t.Fatal(err)
	}
	wantRows(t, m, "a", 5000)
	if m.commits > 50 {
		t.Errorf("made %d commits of 500 small states", m.commits)
	}
}
