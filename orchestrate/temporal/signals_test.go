package temporal_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/client"

	connector "github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// resumedDuringSync resumes a pipeline whose schedule was paused by hand, while it runs its first sync, and waits until the schedule
// resumes.
func resumedDuringSync(t *testing.T, f *fake) (*world, client.ScheduleHandle, client.WorkflowRun) {
	t.Helper()
	w := newWorld(t, f, "")
	schedule := w.schedule()
	if err := schedule.Pause(t.Context(), client.SchedulePauseOptions{Note: "by hand"}); err != nil {
		t.Fatal(err)
	}
	run := w.start(temporal.WorkflowPipeline)
	w.until("it syncs", func() bool { return len(f.seen()) == 1 })
	w.signal(temporal.SignalResume, nil)
	w.until("the schedule resumes", func() bool { return w.pausedNote(schedule) == "" })
	return w, schedule, run
}

// TestResumeDuringSync tests that a paused schedule resumes at once when a sync is running.
func TestResumeDuringSync(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	f := &fake{sync: func(context.Context, int, connector.SyncOptions) error { <-release; return nil }}
	w, _, run := resumedDuringSync(t, f)
	if got := len(f.seen()); got != 1 {
		t.Errorf("%d syncs have begun, want that the first is running", got)
	}
	close(release)
	if got := w.result(run); got != temporal.StatusSucceeded || len(f.seen()) != 2 {
		t.Errorf("got %q after %d syncs, want %q after 2", got, len(f.seen()), temporal.StatusSucceeded)
	}
	w.record("resume during sync", run)
}

// TestSignalsTogether tests that a pause doesn't lose what another signal asks for.
func TestSignalsTogether(t *testing.T) {
	t.Parallel()
	for _, first := range []string{temporal.SignalReread, temporal.SignalPause} {
		t.Run(first+" first", func(t *testing.T) {
			t.Parallel()
			sent := make(chan struct{})
			f := &fake{sync: func(context.Context, int, connector.SyncOptions) error { <-sent; return context.Canceled }}
			w := newWorld(t, f, "retry: {wait: 100ms}")
			run := w.start(temporal.WorkflowPipeline)
			w.until("it syncs", func() bool { return len(f.seen()) == 1 })
			signals := []string{temporal.SignalReread, temporal.SignalPause}
			if first == temporal.SignalPause {
				slices.Reverse(signals)
			}
			for _, s := range signals {
				w.signal(s, map[string]any{temporal.SignalReread: []string{"charges"}}[s])
			}
			var state temporal.State
			w.until("both have arrived", func() bool {
				answer, err := server.Client.QueryWorkflow(t.Context(), run.GetID(), "", temporal.QueryProgress)
				return err == nil && answer.Get(&state) == nil && len(state.Reread) == 1
			})
			close(sent)
			if got := w.result(run); got != temporal.StatusPaused {
				t.Errorf("got %q, want %q", got, temporal.StatusPaused)
			}
			w.record(first+" together", run)
			if diff := cmp.Diff([]string{"sync", "forget charges"}, f.seen()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// TestResumeBeforeFailure tests that a person who has fixed the cause of a failure, and says so before the running sync fails, doesn't
// find the schedule paused.
func TestResumeBeforeFailure(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	f := &fake{sync: func(_ context.Context, call int, _ connector.SyncOptions) error {
		<-release
		if call == 1 {
			return failureOf(connectorv1.FailureClass_FAILURE_CLASS_AUTH, false, "The key was revoked.")
		}
		return nil
	}}
	w, schedule, run := resumedDuringSync(t, f)
	close(release)
	if got := w.result(run); got != temporal.StatusSucceeded || len(f.seen()) != 2 {
		t.Errorf("got %q after %d syncs, want %q after 2", got, len(f.seen()), temporal.StatusSucceeded)
	}
	if note := w.pausedNote(schedule); note != "" {
		t.Errorf("the schedule is paused: %s", note)
	}
	w.record("resume before failure", run)
}
