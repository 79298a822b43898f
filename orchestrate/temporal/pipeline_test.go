package temporal_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	sdk "go.temporal.io/sdk/temporal"

	connector "github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

func TestDueSkipsARunningPipeline(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	f := &fake{sync: func(context.Context, int, connector.SyncOptions) error { <-release; return nil }}
	w := newWorld(t, f, "")
	running := w.signal(temporal.SignalSyncNow, nil)
	w.until("it syncs", func() bool { return len(f.seen()) == 1 })
	if got := w.result(w.start(temporal.WorkflowDue)); got != temporal.StatusSkipped {
		t.Errorf("got %q while it was running, want %q", got, temporal.StatusSkipped)
	}
	close(release)
	if got := w.result(running); got != temporal.StatusSucceeded {
		t.Errorf("got %q, want %q", got, temporal.StatusSucceeded)
	}
	due := w.start(temporal.WorkflowDue)
	if got := w.result(due); got != temporal.StatusSucceeded {
		t.Errorf("got %q afterwards, want %q", got, temporal.StatusSucceeded)
	}
	w.record("due", due)
	w.record("sync now", running)
	if diff := cmp.Diff([]string{"sync", "sync"}, f.seen()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	const auth, config = connectorv1.FailureClass_FAILURE_CLASS_AUTH, connectorv1.FailureClass_FAILURE_CLASS_CONFIG
	const transient, data = connectorv1.FailureClass_FAILURE_CLASS_TRANSIENT, connectorv1.FailureClass_FAILURE_CLASS_SOURCE_DATA
	tests := map[string]struct {
		failure error
		times   int // how often it fails
		want    string
		syncs   int
		paused  bool
	}{
		"auth":               {failureOf(auth, false, "The key "+plantedKey+" was revoked."), 9, "AUTH", 1, true},
		"config":             {failureOf(config, false, "The start date is in the future."), 9, "CONFIG", 1, true},
		"permanent":          {failureOf(data, false, "Nonsense."), 9, "SOURCE_DATA", 1, false},
		"transient":          {failureOf(transient, true, "Unavailable."), 1, temporal.StatusSucceeded, 2, false},
		"transient too long": {failureOf(transient, true, "Unavailable."), 9, "TRANSIENT", 3, false},
		"destination":        {context.DeadlineExceeded, 1, temporal.StatusSucceeded, 2, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fake{sync: func(_ context.Context, call int, _ connector.SyncOptions) error {
				if call <= test.times {
					return test.failure
				}
				return nil
			}}
			w := newWorld(t, f, "retry: {attempts: 3, wait: 100ms}")
			schedule := w.schedule()
			run := w.start(temporal.WorkflowPipeline)
			if got := w.result(run); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			w.record("failed "+name, run)
			if got := len(f.seen()); got != test.syncs {
				t.Errorf("%d syncs, want %d", got, test.syncs)
			}
			note := w.pausedNote(schedule)
			if (note != "") != test.paused {
				t.Errorf("the schedule is paused with the note %q, want %t", note, test.paused)
			}
			if test.paused && !strings.HasPrefix(note, temporal.PausedByWorker+test.want) {
				t.Errorf("the note %q doesn't say why", note)
			}
			if strings.Contains(note, plantedKey) {
				t.Errorf("the note %q contains the key", note)
			}
			if err := run.Get(t.Context(), nil); err != nil && strings.Contains(err.Error(), plantedKey) {
				t.Errorf("the error %q contains the key", err)
			}
		})
	}
}

func TestUnknownPipeline(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &fake{}, "")
	schedule := w.schedule()
	run, err := server.Client.ExecuteWorkflow(t.Context(), w.queue, temporal.WorkflowPipeline, "stranger")
	if err != nil {
		t.Fatal(err)
	}
	if got := w.result(run); got != "UNKNOWN_PIPELINE" {
		t.Errorf("got %q, want UNKNOWN_PIPELINE", got)
	}
	if note := w.pausedNote(schedule); note != "" {
		t.Errorf("the schedule of another pipeline is paused: %s", note)
	}
}

func TestSignals(t *testing.T) {
	t.Parallel()
	f := &fake{sync: func(ctx context.Context, call int, opts connector.SyncOptions) error {
		if call == 1 || call == 3 {
			return hang(ctx, call, opts)
		}
		return nil
	}}
	w := newWorld(t, f, "")
	schedule := w.schedule()
	run := w.start(temporal.WorkflowPipeline)
	w.until("it syncs", func() bool { return len(f.seen()) == 1 })
	if got := w.result(w.signal(temporal.SignalPause, nil)); got != temporal.StatusPaused {
		t.Errorf("got %q after a pause, want %q", got, temporal.StatusPaused)
	}
	if got := w.result(run); got != temporal.StatusPaused {
		t.Errorf("got %q, want the pause to end the running workflow", got)
	}
	w.record("paused", run)
	if w.pausedNote(schedule) == "" {
		t.Error("the schedule is not paused")
	}
	if got := w.result(w.signal(temporal.SignalResume, nil)); got != temporal.StatusSucceeded {
		t.Errorf("got %q after resume, want %q", got, temporal.StatusSucceeded)
	}
	if note := w.pausedNote(schedule); note != "" {
		t.Errorf("the schedule is still paused: %s", note)
	}
	if got := w.result(w.signal(temporal.SignalPause, nil)); got != temporal.StatusPaused { // while none is running
		t.Errorf("got %q after a pause, want %q", got, temporal.StatusPaused)
	}
	run = w.signal(temporal.SignalSyncNow, nil)
	w.until("it syncs", func() bool { return len(f.seen()) == 3 })
	w.signal(temporal.SignalReread, []string{"charges", "refunds"})
	if got := w.result(run); got != temporal.StatusSucceeded {
		t.Errorf("got %q after reread, want %q", got, temporal.StatusSucceeded)
	}
	w.record("reread", run)
	want := []string{"sync", "sync", "sync", "forget charges refunds", "sync"}
	if diff := cmp.Diff(want, f.seen()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestSyncNowSyncsOnceMore(t *testing.T) {
	t.Parallel()
	first := make(chan struct{})
	f := &fake{sync: func(_ context.Context, call int, _ connector.SyncOptions) error {
		if call == 1 {
			<-first
		}
		return nil
	}}
	w := newWorld(t, f, "")
	run := w.start(temporal.WorkflowPipeline)
	w.until("it syncs", func() bool { return len(f.seen()) == 1 })
	for range 3 {
		w.signal(temporal.SignalSyncNow, nil)
	}
	var state temporal.State
	w.until("the query shows it", func() bool {
		answer, err := server.Client.QueryWorkflow(t.Context(), run.GetID(), "", temporal.QueryProgress)
		return err == nil && answer.Get(&state) == nil && state.Again && state.Status == temporal.StatusRunning
	})
	close(first)
	if got := w.result(run); got != temporal.StatusSucceeded || len(f.seen()) != 2 {
		t.Errorf("got %q after %d syncs, want %q after 2", got, len(f.seen()), temporal.StatusSucceeded)
	}
}

func TestFollowContinuesAsNew(t *testing.T) {
	t.Parallel()
	f := &fake{sync: hang}
	w := newWorld(t, f, "schedule: follow", func(o *temporal.Options) { o.FollowTime = 300 * time.Millisecond })
	run := w.start(temporal.WorkflowPipeline)
	first := run.GetRunID()
	w.until("it follows again", func() bool { return len(f.seen()) == 3 })
	found, err := server.Client.DescribeWorkflow(t.Context(), run.GetID(), first)
	if err != nil || found.Status != enums.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW {
		t.Errorf("the first run has status %v, %v, want that it continued as new", found.Status, err)
	}
	w.record("follow", server.Client.GetWorkflow(t.Context(), run.GetID(), first))
	if got := w.result(w.signal(temporal.SignalPause, nil)); got != temporal.StatusPaused {
		t.Errorf("got %q, want %q", got, temporal.StatusPaused)
	}
}

// TestWorkerThatStops tests that another worker resumes a sync at once, and that this doesn't count as an attempt.
func TestWorkerThatStops(t *testing.T) {
	t.Parallel()
	first := &fake{sync: hang}
	w := newWorld(t, first, "retry: {attempts: 1}")
	run := w.start(temporal.WorkflowPipeline)
	w.until("it syncs", func() bool { return len(first.seen()) == 1 })
	w.stop()
	second := &fake{}
	newWorld(t, second, "retry: {attempts: 1}")
	if got := w.result(run); got != temporal.StatusSucceeded || len(second.seen()) != 1 {
		t.Errorf("got %q after %d syncs of the second worker, want %q after 1", got, len(second.seen()), temporal.StatusSucceeded)
	}
}

func TestSearchAttributes(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	w := newWorld(t, &fake{sync: func(context.Context, int, connector.SyncOptions) error { <-release; return nil }}, "")
	_, err := server.Client.OperatorService().AddSearchAttributes(t.Context(), &operatorservice.AddSearchAttributesRequest{
		Namespace: server.Namespace, SearchAttributes: map[string]enums.IndexedValueType{
			temporal.AttributePipeline: enums.INDEXED_VALUE_TYPE_KEYWORD, temporal.AttributeStatus: enums.INDEXED_VALUE_TYPE_KEYWORD}})
	if err != nil {
		t.Fatal(err)
	}
	close(release)
	if got := w.result(w.start(temporal.WorkflowPipeline)); got != temporal.StatusSucceeded {
		t.Errorf("got %q, want %q", got, temporal.StatusSucceeded)
	}
	found, err := server.Client.DescribeWorkflow(t.Context(), temporal.ID(w.name), "")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{temporal.AttributePipeline: w.name, temporal.AttributeStatus: temporal.StatusSucceeded} {
		if got, _ := found.TypedSearchAttributes.GetKeyword(sdk.NewSearchAttributeKeyKeyword(name)); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
