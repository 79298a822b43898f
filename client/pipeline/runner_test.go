package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/all"
	"github.com/stripe-connector/stripe-connector/client/pipeline"
	"github.com/stripe-connector/stripe-connector/client/runlog"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service implements Syncer with a function.
type service func(context.Context, client.SyncOptions) (*client.Report, error)

func (s service) Sync(ctx context.Context, opts client.SyncOptions) (*client.Report, error) {
	return s(ctx, opts)
}

// sleepy returns a service whose syncs take the given times. The last time also applies to all further syncs.
func sleepy(took ...time.Duration) service {
	var n atomic.Int64
	return func(ctx context.Context, _ client.SyncOptions) (*client.Report, error) {
		i := min(int(n.Add(1)), len(took)) - 1
		select {
		case <-ctx.Done():
			return &client.Report{Reads: 1}, ctx.Err()
		case <-time.After(took[i]):
			return &client.Report{Reads: 1}, nil
		}
	}
}

// failing returns a service that fails the given number of times and then succeeds.
func failing(times int, err error) service {
	var n atomic.Int64
	return func(context.Context, client.SyncOptions) (*client.Report, error) {
		if int(n.Add(1)) <= times {
			return &client.Report{}, err
		}
		return &client.Report{}, nil
	}
}

func failureOf(class connectorv1.FailureClass, retryable bool, message string) error {
	return &client.Error{Failure: &connectorv1.Failure{Class: class, Retryable: retryable, Message: message,
		RetryAfter: durationpb.New(0)}}
}

const key = "rk_test_Planted4Secret"

// fixture is a directory with a pipeline file.
type fixture struct {
	t       *testing.T
	folder  string
	notices []string
	mu      sync.Mutex
}

func newFixture(t *testing.T) *fixture { return &fixture{t: t, folder: t.TempDir()} }

// runner returns a runner for a pipeline with these additional lines, and a function that closes its run log.
func (f *fixture) runner(s pipeline.Syncer, lines string) (*pipeline.Runner, func()) {
	f.t.Helper()
	content := "pipelines:\n  acme:\n    config: {api_key: \"${KEY}\"}\n    destination: jsonl:lines\n" + lines
	file := parse(f.t, filepath.Join(f.folder, "pipelines.yaml"), content)
	log, err := runlog.Open(context.Background(), file.RunLog)
	if err != nil {
		f.t.Fatal(err)
	}
	return &pipeline.Runner{File: file, Service: s, Log: log, Destinations: all.Kinds(), Getenv: func(string) string { return key },
		Notify: func(name, message string) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.notices = append(f.notices, name+": "+message)
		}}, func() {
		if err := log.Close(); err != nil {
			f.t.Error(err)
		}
	}
}

// follow runs the runner for d and returns the runs, oldest first.
func (f *fixture) follow(d time.Duration, s pipeline.Syncer, lines string) []runlog.Run {
	f.t.Helper()
	r, done := f.runner(s, lines)
	defer done()
	ctx, cancel := context.WithTimeout(f.t.Context(), d)
	defer cancel()
	if err := r.Run(ctx); err != nil {
		f.t.Fatal(err)
	}
	return f.runs(r)
}

func (f *fixture) runs(r *pipeline.Runner) []runlog.Run {
	f.t.Helper()
	all, err := r.Log.Runs(context.Background(), runlog.Filter{})
	if err != nil {
		f.t.Fatal(err)
	}
	for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
		all[i], all[j] = all[j], all[i]
	}
	return all
}

// brief formats each run as start, attempt and status: "13:00 1 succeeded".
func brief(runs []runlog.Run) []string {
	var all []string
	for _, r := range runs {
		all = append(all, fmt.Sprintf("%s %d %s", r.Started.UTC().Format("15:04"), r.Attempt, r.Status))
	}
	return all
}

// bubble runs a test in a synctest bubble, which starts at 2000-01-01T00:00:00Z.
func bubble(t *testing.T, test func(*testing.T, *fixture)) {
	t.Helper()
	f := newFixture(t)
	synctest.Test(t, func(t *testing.T) {
		f.t = t
		test(t, f)
	})
}

func want(t *testing.T, runs []runlog.Run, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, brief(runs)); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
}

func TestOverrunSkipsSlots(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		runs := f.follow(4*time.Hour+time.Minute, sleepy(68*time.Minute, time.Second), "    schedule: {every: 1h, anchor: 00:00}\n")
		want(t, runs, "00:00 1 succeeded", "02:00 1 succeeded", "03:00 1 succeeded", "04:00 1 succeeded")
	})
}

func TestSixHourGrid(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		runs := f.follow(24*time.Hour, sleepy(time.Minute), "    schedule: {every: 6h, anchor: 13:00}\n")
		want(t, runs, "01:00 1 succeeded", "07:00 1 succeeded", "13:00 1 succeeded", "19:00 1 succeeded")
	})
}

func TestAnchorThatHasPassedToday(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		time.Sleep(17 * time.Hour)
		runs := f.follow(48*time.Hour, sleepy(time.Minute), "    schedule: {every: 24h, anchor: 13:00}\n")
		want(t, runs, "13:00 1 succeeded", "13:00 1 succeeded")
		if first := runs[0].Started.Day(); first != 2 {
			t.Errorf("the first run was on day %d, want tomorrow", first)
		}
	})
}

func TestFailedRunIsRetriedWithBackoff(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		broken := failureOf(connectorv1.FailureClass_FAILURE_CLASS_TRANSIENT, true, "Stripe cannot be reached. Try later.")
		runs := f.follow(25*time.Minute, failing(4, broken), "    retry: {attempts: 3, wait: 4m}\n")
		if len(runs) != 3 {
			t.Fatalf("got %q, want 3 attempts", brief(runs))
		}
		for i, r := range runs {
			if r.Status != runlog.Failed || r.Attempt != i+1 || r.Class != "TRANSIENT" || !strings.Contains(r.Error, "Try later.") {
				t.Errorf("got run %+v", r)
			}
		}
		first, second := runs[1].Started.Sub(runs[0].Ended), runs[2].Started.Sub(runs[1].Ended)
		if first < 2*time.Minute || first > 6*time.Minute || second < 4*time.Minute || second > 12*time.Minute {
			t.Errorf("waited %s and %s, want about 4 and 8 minutes", first, second)
		}
		if !strings.Contains(strings.Join(f.notices, "\n"), "acme: Stripe cannot be reached. Try later.; attempt 2 of 3 follows in") {
			t.Errorf("got notices %q", f.notices)
		}
	})
}

func TestNextSlotRunsAfterPermanentFailure(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		refused := failureOf(connectorv1.FailureClass_FAILURE_CLASS_AUTH, false, "The key was refused: make a new one.")
		want(t, f.follow(35*time.Minute, failing(1, refused), ""), "00:00 1 failed", "00:30 1 succeeded")
	})
}

func TestUnopenableDestinationIsRetried(t *testing.T) {
	f := newFixture(t)
	if err := os.WriteFile(filepath.Join(f.folder, "lines"), nil, 0o600); err != nil { // a file in place of the directory
		t.Fatal(err)
	}
	r, done := f.runner(sleepy(0), "    retry: {attempts: 2, wait: 1ms}\n")
	defer done()
	err := r.Once(t.Context())
	if err == nil || !strings.Contains(err.Error(), "pipeline acme: open destination") {
		t.Errorf("got %v, want the error of the destination", err)
	}
	runs := f.runs(r)
	if len(runs) != 2 || runs[1].Class != "DESTINATION" || runs[1].Status != runlog.Failed {
		t.Errorf("got %+v", runs)
	}
}

func TestInterruptedRunResumesAtStart(t *testing.T) {
	const daily = "    schedule: {every: 24h, anchor: 12:00}\n"
	bubble(t, func(t *testing.T, f *fixture) {
		runs := f.follow(12*time.Hour+time.Minute, sleepy(time.Hour), daily) // it is stopped at 12:01
		want(t, runs, "12:00 1 stopped")
		time.Sleep(time.Hour)
		runs = f.follow(2*time.Hour, sleepy(time.Hour), daily)
		want(t, runs, "12:00 1 stopped", "13:01 1 succeeded")
		runs = f.follow(2*time.Hour, sleepy(time.Hour), daily) // nothing is left to resume
		want(t, runs, "12:00 1 stopped", "13:01 1 succeeded")
	})
}

func TestLostRunResumesAtStart(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		r, done := f.runner(sleepy(0), "")
		dead := &runlog.Run{Pipeline: "acme", Slot: time.Now(), Attempt: 1, Started: time.Now()}
		if err := r.Log.Begin(t.Context(), dead); err != nil {
			t.Fatal(err)
		}
		done()
		time.Sleep(time.Minute)
		want(t, f.follow(time.Minute, sleepy(0), ""), "00:00 1 lost", "00:01 1 succeeded")
	})
}

func TestReapMarksOnlyDeadRuns(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		r, done := f.runner(sleepy(time.Hour), "")
		defer done()
		if err := r.Log.Begin(t.Context(), &runlog.Run{Pipeline: "other", Slot: time.Now(), Attempt: 1, Started: time.Now()}); err != nil {
			t.Fatal(err)
		}
		var once sync.WaitGroup
		once.Go(func() {
			if err := r.Once(t.Context()); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(time.Minute)
		if err := r.File.Reap(t.Context(), r.Log); err != nil {
			t.Error(err)
		}
		want(t, f.runs(r), "00:00 1 lost", "00:00 1 running")
		once.Wait()
		want(t, f.runs(r), "00:00 1 lost", "00:00 1 succeeded")
	})
}

func TestOneRunAtATime(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		var running, most atomic.Int64
		counted := service(func(context.Context, client.SyncOptions) (*client.Report, error) {
			n := running.Add(1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			time.Sleep(20 * time.Minute)
			running.Add(-1)
			return &client.Report{}, nil
		})
		var both sync.WaitGroup
		for range 2 { // each with its own store and lock, as in two processes
			r, done := f.runner(counted, "")
			both.Go(func() {
				defer done()
				ctx, cancel := context.WithTimeout(t.Context(), 85*time.Minute)
				defer cancel()
				if err := r.Run(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		r, done := f.runner(counted, "")
		defer done()
		want(t, f.runs(r), "00:00 1 succeeded", "00:30 1 succeeded", "01:00 1 succeeded")
		if most.Load() != 1 {
			t.Errorf("%d runs were concurrent", most.Load())
		}
		if !strings.Contains(strings.Join(f.notices, "\n"), "another process is running it") {
			t.Errorf("got notices %q", f.notices)
		}
	})
}

func TestOneProcessRunsASlot(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		var both sync.WaitGroup
		for range 2 {
			r, done := f.runner(sleepy(time.Second/2), "    schedule: {every: 1h, anchor: 12:00}\n")
			both.Go(func() {
				defer done()
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour+time.Minute)
				defer cancel()
				if err := r.Run(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		r, done := f.runner(sleepy(0), "")
		defer done()
		want(t, f.runs(r), "00:00 1 succeeded", "01:00 1 succeeded", "02:00 1 succeeded")
	})
}

func TestCounts(t *testing.T) {
	f := newFixture(t)
	watermark := time.Date(2024, 1, 31, 13, 0, 0, 0, time.UTC)
	r, done := f.runner(service(func(ctx context.Context, opts client.SyncOptions) (*client.Report, error) {
		batch := &connectorv1.RecordBatch{Stream: "charges", Records: make([]*connectorv1.Record, 5)}
		for _, m := range []*connectorv1.ReadResponse{
			{Message: &connectorv1.ReadResponse_StreamStatus{StreamStatus: &connectorv1.StreamStatusChange{Stream: "charges", Status: connectorv1.StreamStatus_STREAM_STATUS_STARTED}}},
			{Message: &connectorv1.ReadResponse_Records{Records: batch}},
			{Message: &connectorv1.ReadResponse_Progress{Progress: &connectorv1.Progress{Requests: 7, Retries: 2}}},
			// The Read is interrupted, and another one starts.
			{Message: &connectorv1.ReadResponse_Log{Log: &connectorv1.LogEntry{Level: connectorv1.LogLevel_LOG_LEVEL_WARNING, Message: "Interrupted."}}},
			{Message: &connectorv1.ReadResponse_Progress{Progress: &connectorv1.Progress{Requests: 3}}},
			{Message: &connectorv1.ReadResponse_Records{Records: batch}},
			{Message: &connectorv1.ReadResponse_Summary{Summary: &connectorv1.Summary{Requests: 11, Retries: 1, Waited: durationpb.New(2 * time.Second),
				Streams: []*connectorv1.StreamSummary{{Stream: "charges", Watermark: timestamppb.New(watermark)}}}}},
		} {
			opts.Observe(ctx, m)
		}
		return &client.Report{Reads: 2, Requests: 11, Streams: []client.StreamReport{
			{Stream: "charges", Status: connectorv1.StreamStatus_STREAM_STATUS_COMPLETE, Upserts: 6, Deletes: 2, Bytes: 90, Duration: time.Second,
				Withheld: 4, SetAside: []*connectorv1.SetAside{{Key: "ch_1", Failure: &connectorv1.Failure{Message: "It is broken."}}}, SetAsideTotal: 7,
				Drift: &connectorv1.Drift{Examined: 5, NewFields: []*connectorv1.NewField{{Path: "hologram", Records: 2}}}},
			{Stream: "payouts", Status: connectorv1.StreamStatus_STREAM_STATUS_SKIPPED, Failure: &connectorv1.Failure{Message: "The key may not."}},
		}}, nil
	}), "")
	defer done()
	if err := r.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	run := f.runs(r)[0]
	if run.Status != runlog.Succeeded || run.Reads != 2 || run.Requests != 18 || run.Retries != 3 || run.Waited != 2*time.Second {
		t.Errorf("got run %+v", run)
	}
	wantStreams := []runlog.Stream{
		{Stream: "charges", Status: "complete", Extracted: 10, Loaded: 6, Deleted: 2, Withheld: 4, SetAside: 7, Bytes: 90, Duration: time.Second, Watermark: watermark,
			Drift: &connectorv1.Drift{Examined: 5, NewFields: []*connectorv1.NewField{{Path: "hologram", Records: 2}}},
			Error: "7 objects could not be read, and will be retried by later syncs: ch_1 (It is broken.), …"},
		{Stream: "payouts", Status: "skipped", Error: "The key may not."},
	}
	if diff := cmp.Diff(wantStreams, run.Streams, protocmp.Transform()); diff != "" {
		t.Errorf("streams (-want +got):\n%s", diff)
	}
	entries, err := r.Log.Entries(t.Context(), run.ID)
	if err != nil || len(entries) != 2 || entries[1].Message != "Interrupted." || entries[1].Level != "warning" {
		t.Errorf("got entries %+v, %v", entries, err)
	}
}

func TestSecretsAreHidden(t *testing.T) {
	f := newFixture(t)
	r, done := f.runner(service(func(ctx context.Context, opts client.SyncOptions) (*client.Report, error) {
		if opts.Config.GetFields()["api_key"].GetStringValue() != key {
			t.Error("the service did not get the key")
		}
		opts.Observe(ctx, &connectorv1.ReadResponse{Message: &connectorv1.ReadResponse_Log{Log: &connectorv1.LogEntry{Message: "With " + key}}})
		return &client.Report{Streams: []client.StreamReport{{Stream: "a", Failure: &connectorv1.Failure{Message: "Not with " + key}}}},
			errors.New("cannot with " + key)
	}), "    retry: {attempts: 2, wait: 1ms}\n")
	defer done()
	if err := r.Once(t.Context()); err == nil || strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "[secret]") {
		t.Errorf("got %v", err)
	}
	if notices := fmt.Sprint(f.notices); strings.Contains(notices, key) {
		t.Errorf("got notices %s", notices)
	}
	files, err := filepath.Glob(filepath.Join(f.folder, "*.db*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if content, err := os.ReadFile(file); err != nil || strings.Contains(string(content), key) {
			t.Errorf("%s holds the key (%v)", file, err)
		}
	}
}

func TestMissingKeyIsAConfigFailure(t *testing.T) {
	f := newFixture(t)
	r, done := f.runner(sleepy(0), "")
	defer done()
	r.Getenv = func(string) string { return "" }
	if err := r.Once(t.Context()); err == nil || !strings.Contains(err.Error(), "KEY, which is not set: export it") {
		t.Errorf("got %v", err)
	}
	if runs := f.runs(r); len(runs) != 1 || runs[0].Class != "CONFIG" {
		t.Errorf("got %+v, want one attempt", runs)
	}
}

// TestFollow follows for a day and a half. There must be one run per day, however often the source fails, and no run
// may end by itself.
func TestFollow(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		failures := 0
		s := service(func(ctx context.Context, opts client.SyncOptions) (*client.Report, error) {
			if !opts.Follow {
				t.Error("the sync does not follow")
			}
			if failures++; failures <= 5 {
				return &client.Report{}, failureOf(connectorv1.FailureClass_FAILURE_CLASS_TRANSIENT, true, "Stripe is away.")
			}
			opts.Observe(ctx, &connectorv1.ReadResponse{Message: &connectorv1.ReadResponse_Checkpoint{Checkpoint: &connectorv1.StateCheckpoint{
				State: &connectorv1.StreamState{Stream: "charges"}}}})
			<-ctx.Done()
			return &client.Report{Reads: 1, Streams: []client.StreamReport{
				{Stream: "charges", Status: connectorv1.StreamStatus_STREAM_STATUS_COMPLETE, Upserts: 3}}}, ctx.Err()
		})
		runs := f.follow(36*time.Hour, s, "    schedule: follow\n    retry: {attempts: 2, wait: 1s}\n")
		var statuses []runlog.Status
		for _, r := range runs {
			statuses = append(statuses, r.Status)
		}
		want := []runlog.Status{runlog.Failed, runlog.Failed, runlog.Failed, runlog.Failed, runlog.Failed, runlog.Succeeded, runlog.Stopped}
		if diff := cmp.Diff(want, statuses); diff != "" {
			t.Fatalf("runs (-want +got):\n%s", diff)
		}
		day := runs[5]
		if !day.Ended.Equal(day.Started.Truncate(24*time.Hour).Add(24*time.Hour)) || len(day.Streams) != 1 || day.Streams[0].Loaded != 3 ||
			day.Streams[0].Watermark.IsZero() {
			t.Errorf("got %+v, want a run until midnight with what it loaded", day)
		}
	})
}

func TestOnceDoesNotFollow(t *testing.T) {
	f := newFixture(t)
	r, done := f.runner(service(func(_ context.Context, opts client.SyncOptions) (*client.Report, error) {
		if opts.Follow || !opts.Reconcile {
			t.Errorf("got %+v", opts)
		}
		return &client.Report{}, nil
	}), "    schedule: follow\n")
	defer done()
	r.Reconcile = true
	if err := r.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
}
