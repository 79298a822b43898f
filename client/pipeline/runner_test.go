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
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/all"
	"github.com/stripe-connector/stripe-connector/client/pipeline"
	"github.com/stripe-connector/stripe-connector/client/runlog"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service is a Syncer.
type service func(context.Context, client.SyncOptions) (*client.Report, error)

func (s service) Sync(ctx context.Context, opts client.SyncOptions) (*client.Report, error) {
	return s(ctx, opts)
}

// sleepy takes so long for each sync; the last value counts for all that follow.
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

// failing fails so often, and then succeeds.
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

// house is a folder with a file of one pipeline.
type house struct {
	t      *testing.T
	folder string
	told   []string
	mu     sync.Mutex
}

func newHouse(t *testing.T) *house { return &house{t: t, folder: t.TempDir()} }

// runner makes a runner for a pipeline with these lines in it. The store is closed by the cleanup that it returns.
func (h *house) runner(s pipeline.Syncer, lines string) (*pipeline.Runner, func()) {
	h.t.Helper()
	content := "pipelines:\n  acme:\n    config: {api_key: \"${KEY}\"}\n    destination: jsonl:lines\n" + lines
	f := parse(h.t, filepath.Join(h.folder, "pipelines.yaml"), content)
	log, err := runlog.Open(context.Background(), f.RunLog)
	if err != nil {
		h.t.Fatal(err)
	}
	return &pipeline.Runner{File: f, Service: s, Log: log, Destinations: all.Kinds(), Getenv: func(string) string { return key },
			Tell: func(name, message string) {
				h.mu.Lock()
				defer h.mu.Unlock()
				h.told = append(h.told, name+": "+message)
			}}, func() {
			if err := log.Close(); err != nil {
				h.t.Error(err)
			}
		}
}

// follow runs the runner for so long and gives the runs, the oldest first.
func (h *house) follow(d time.Duration, s pipeline.Syncer, lines string) []runlog.Run {
	h.t.Helper()
	r, done := h.runner(s, lines)
	defer done()
	ctx, cancel := context.WithTimeout(h.t.Context(), d)
	defer cancel()
	if err := r.Run(ctx); err != nil {
		h.t.Fatal(err)
	}
	return h.runs(r)
}

func (h *house) runs(r *pipeline.Runner) []runlog.Run {
	h.t.Helper()
	all, err := r.Log.Runs(context.Background(), runlog.Filter{})
	if err != nil {
		h.t.Fatal(err)
	}
	for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
		all[i], all[j] = all[j], all[i]
	}
	return all
}

// brief writes runs as "13:00 1 succeeded".
func brief(runs []runlog.Run) []string {
	var all []string
	for _, r := range runs {
		all = append(all, fmt.Sprintf("%s %d %s", r.Started.UTC().Format("15:04"), r.Attempt, r.Status))
	}
	return all
}

// bubble runs a test in a bubble in which it is 2000-01-01T00:00:00Z.
func bubble(t *testing.T, test func(*testing.T, *house)) {
	t.Helper()
	h := newHouse(t)
	synctest.Test(t, func(t *testing.T) {
		h.t = t
		test(t, h)
	})
}

func want(t *testing.T, runs []runlog.Run, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, brief(runs)); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
}

func TestAJobThatOverrunsMakesTheNextOneSkip(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		runs := h.follow(4*time.Hour+time.Minute, sleepy(68*time.Minute, time.Second), "    schedule: {every: 1h, anchor: 00:00}\n")
		want(t, runs, "00:00 1 succeeded", "02:00 1 succeeded", "03:00 1 succeeded", "04:00 1 succeeded")
	})
}

func TestADayOfASixHourGrid(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		runs := h.follow(24*time.Hour, sleepy(time.Minute), "    schedule: {every: 6h, anchor: 13:00}\n")
		want(t, runs, "01:00 1 succeeded", "07:00 1 succeeded", "13:00 1 succeeded", "19:00 1 succeeded")
	})
}

func TestAnAnchorThatHasPassedWaitsForTomorrow(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		time.Sleep(17 * time.Hour)
		runs := h.follow(48*time.Hour, sleepy(time.Minute), "    schedule: {every: 24h, anchor: 13:00}\n")
		want(t, runs, "13:00 1 succeeded", "13:00 1 succeeded")
		if first := runs[0].Started.Day(); first != 2 {
			t.Errorf("the first run was on day %d, want tomorrow", first)
		}
	})
}

func TestAFailureIsTriedAgainWithBackoff(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		broken := failureOf(connectorv1.FailureClass_FAILURE_CLASS_TRANSIENT, true, "Stripe cannot be reached. Try later.")
		runs := h.follow(25*time.Minute, failing(4, broken), "    retry: {attempts: 3, wait: 4m}\n")
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
		if !strings.Contains(strings.Join(h.told, "\n"), "acme: Stripe cannot be reached. Try later.; attempt 2 of 3 follows in") {
			t.Errorf("told %q", h.told)
		}
	})
}

func TestASlotThatFailedForGoodDoesNotSpoilTheNext(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		refused := failureOf(connectorv1.FailureClass_FAILURE_CLASS_AUTH, false, "The key was refused: make a new one.")
		want(t, h.follow(35*time.Minute, failing(1, refused), ""), "00:00 1 failed", "00:30 1 succeeded")
	})
}

func TestADestinationThatCannotBeOpenedIsTriedAgain(t *testing.T) {
	h := newHouse(t)
	if err := os.WriteFile(filepath.Join(h.folder, "lines"), nil, 0o600); err != nil { // a file where the folder should be
		t.Fatal(err)
	}
	r, done := h.runner(sleepy(0), "    retry: {attempts: 2, wait: 1ms}\n")
	defer done()
	err := r.Once(t.Context())
	if err == nil || !strings.Contains(err.Error(), "pipeline acme: open destination") {
		t.Errorf("got %v, want that of the destination", err)
	}
	runs := h.runs(r)
	if len(runs) != 2 || runs[1].Class != "DESTINATION" || runs[1].Status != runlog.Failed {
		t.Errorf("got %+v", runs)
	}
}

func TestARunThatWasBrokenOffIsTakenUpAtTheStart(t *testing.T) {
	const daily = "    schedule: {every: 24h, anchor: 12:00}\n"
	bubble(t, func(t *testing.T, h *house) {
		runs := h.follow(12*time.Hour+time.Minute, sleepy(time.Hour), daily) // it is asked to end at 12:01
		want(t, runs, "12:00 1 stopped")
		time.Sleep(time.Hour)
		runs = h.follow(2*time.Hour, sleepy(time.Hour), daily)
		want(t, runs, "12:00 1 stopped", "13:01 1 succeeded")
		runs = h.follow(2*time.Hour, sleepy(time.Hour), daily) // nothing is left to take up
		want(t, runs, "12:00 1 stopped", "13:01 1 succeeded")
	})
}

func TestARunOfADeadProcessIsLostAndTakenUp(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		r, done := h.runner(sleepy(0), "")
		dead := &runlog.Run{Pipeline: "acme", Slot: time.Now(), Attempt: 1, Started: time.Now()}
		if err := r.Log.Begin(t.Context(), dead); err != nil {
			t.Fatal(err)
		}
		done()
		time.Sleep(time.Minute)
		want(t, h.follow(time.Minute, sleepy(0), ""), "00:00 1 lost", "00:01 1 succeeded")
	})
}

func TestReapMarksTheDeadAndLeavesTheLiving(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		r, done := h.runner(sleepy(time.Hour), "")
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
		want(t, h.runs(r), "00:00 1 lost", "00:00 1 running")
		once.Wait()
		want(t, h.runs(r), "00:00 1 lost", "00:00 1 succeeded")
	})
}

func TestOneRunAtATime(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
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
		for range 2 { // each with a store and a lock of its own, as two processes have
			r, done := h.runner(counted, "")
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
		r, done := h.runner(counted, "")
		defer done()
		want(t, h.runs(r), "00:00 1 succeeded", "00:30 1 succeeded", "01:00 1 succeeded")
		if most.Load() != 1 {
			t.Errorf("%d ran at once", most.Load())
		}
		if !strings.Contains(strings.Join(h.told, "\n"), "another process is running it") {
			t.Errorf("told %q", h.told)
		}
	})
}

func TestASlotIsRunByOneProcessOnly(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		var both sync.WaitGroup
		for range 2 {
			r, done := h.runner(sleepy(time.Second/2), "    schedule: {every: 1h, anchor: 12:00}\n")
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
		r, done := h.runner(sleepy(0), "")
		defer done()
		want(t, h.runs(r), "00:00 1 succeeded", "01:00 1 succeeded", "02:00 1 succeeded")
	})
}

func TestCounts(t *testing.T) {
	h := newHouse(t)
	watermark := time.Date(2024, 1, 31, 13, 0, 0, 0, time.UTC)
	r, done := h.runner(service(func(_ context.Context, opts client.SyncOptions) (*client.Report, error) {
		batch := &connectorv1.RecordBatch{Stream: "charges", Records: make([]*connectorv1.Record, 5)}
		for _, m := range []*connectorv1.ReadResponse{
			{Message: &connectorv1.ReadResponse_StreamStatus{StreamStatus: &connectorv1.StreamStatusChange{Stream: "charges", Status: connectorv1.StreamStatus_STREAM_STATUS_STARTED}}},
			{Message: &connectorv1.ReadResponse_Records{Records: batch}},
			{Message: &connectorv1.ReadResponse_Progress{Progress: &connectorv1.Progress{Requests: 7, Retries: 2}}},
			// The Read broke off, and another began.
			{Message: &connectorv1.ReadResponse_Log{Log: &connectorv1.LogEntry{Level: connectorv1.LogLevel_LOG_LEVEL_WARNING, Message: "Interrupted."}}},
			{Message: &connectorv1.ReadResponse_Progress{Progress: &connectorv1.Progress{Requests: 3}}},
			{Message: &connectorv1.ReadResponse_Records{Records: batch}},
			{Message: &connectorv1.ReadResponse_Summary{Summary: &connectorv1.Summary{Requests: 11, Retries: 1, Waited: durationpb.New(2 * time.Second),
				Streams: []*connectorv1.StreamSummary{{Stream: "charges", Watermark: timestamppb.New(watermark)}}}}},
		} {
			opts.Observe(m)
		}
		return &client.Report{Reads: 2, Requests: 11, Streams: []client.StreamReport{
			{Stream: "charges", Status: connectorv1.StreamStatus_STREAM_STATUS_COMPLETE, Upserts: 6, Deletes: 2, Bytes: 90, Duration: time.Second},
			{Stream: "payouts", Status: connectorv1.StreamStatus_STREAM_STATUS_SKIPPED, Failure: &connectorv1.Failure{Message: "The key may not."}},
		}}, nil
	}), "")
	defer done()
	if err := r.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	run := h.runs(r)[0]
	if run.Status != runlog.Succeeded || run.Reads != 2 || run.Requests != 18 || run.Retries != 3 || run.Waited != 2*time.Second {
		t.Errorf("got run %+v", run)
	}
	wantStreams := []runlog.Stream{
		{Stream: "charges", Status: "complete", Extracted: 10, Loaded: 6, Deleted: 2, Bytes: 90, Duration: time.Second, Watermark: watermark},
		{Stream: "payouts", Status: "skipped", Error: "The key may not."},
	}
	if diff := cmp.Diff(wantStreams, run.Streams); diff != "" {
		t.Errorf("streams (-want +got):\n%s", diff)
	}
	entries, err := r.Log.Entries(t.Context(), run.ID)
	if err != nil || len(entries) != 2 || entries[1].Message != "Interrupted." || entries[1].Level != "warning" {
		t.Errorf("got entries %+v, %v", entries, err)
	}
}

func TestSecretsAreHidden(t *testing.T) {
	h := newHouse(t)
	r, done := h.runner(service(func(_ context.Context, opts client.SyncOptions) (*client.Report, error) {
		if opts.Config.GetFields()["api_key"].GetStringValue() != key {
			t.Error("the service did not get the key")
		}
		opts.Observe(&connectorv1.ReadResponse{Message: &connectorv1.ReadResponse_Log{Log: &connectorv1.LogEntry{Message: "With " + key}}})
		return &client.Report{Streams: []client.StreamReport{{Stream: "a", Failure: &connectorv1.Failure{Message: "Not with " + key}}}},
			errors.New("cannot with " + key)
	}), "    retry: {attempts: 2, wait: 1ms}\n")
	defer done()
	if err := r.Once(t.Context()); err == nil || strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "[secret]") {
		t.Errorf("got %v", err)
	}
	if told := fmt.Sprint(h.told); strings.Contains(told, key) {
		t.Errorf("told %s", told)
	}
	files, err := filepath.Glob(filepath.Join(h.folder, "*.db*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if content, err := os.ReadFile(file); err != nil || strings.Contains(string(content), key) {
			t.Errorf("%s holds the key (%v)", file, err)
		}
	}
}

func TestAMissingKeyIsAFailureOfTheConfiguration(t *testing.T) {
	h := newHouse(t)
	r, done := h.runner(sleepy(0), "")
	defer done()
	r.Getenv = func(string) string { return "" }
	if err := r.Once(t.Context()); err == nil || !strings.Contains(err.Error(), "KEY, which is not set: export it") {
		t.Errorf("got %v", err)
	}
	if runs := h.runs(r); len(runs) != 1 || runs[0].Class != "CONFIG" {
		t.Errorf("got %+v, want one attempt", runs)
	}
}
