package temporal_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
)

// TestFanOut runs pipelines as children, and checks that each runs once, at most so many at the same time, and that
// the histories are bounded.
func TestFanOut(t *testing.T) {
	const pipelines, width, batch = 14, 3, 6
	var mutex sync.Mutex
	ran := map[string]int{}
	running, most := 0, 0
	count := func(name string, by int) {
		mutex.Lock()
		defer mutex.Unlock()
		running += by
		most = max(most, running)
		ran[name] += max(by, 0)
	}
	pipeline := func(ctx workflow.Context, name string) (temporal.Result, error) {
		if !workflow.IsReplaying(ctx) {
			count(name, 1)
		}
		if err := workflow.Sleep(ctx, time.Millisecond); err != nil {
			return temporal.Result{}, err
		}
		if !workflow.IsReplaying(ctx) {
			count(name, -1)
		}
		switch name {
		case "fan-7":
			return temporal.Result{}, errors.New("planted")
		case "fan-8":
			return temporal.Result{Status: temporal.StatusPaused}, nil
		}
		return temporal.Result{Status: temporal.StatusSucceeded}, nil
	}
	w := worker.New(server.Client, t.Name(), worker.Options{})
	w.RegisterWorkflowWithOptions(pipeline, workflow.RegisterOptions{Name: temporal.WorkflowPipeline})
	w.RegisterWorkflowWithOptions(temporal.FanOutWorkflow, workflow.RegisterOptions{Name: temporal.WorkflowFanOut})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer w.Stop()

	busy, err := server.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: temporal.ID("fan-9"), TaskQueue: "nobody"}, temporal.WorkflowPipeline, "fan-9")
	if err != nil {
		t.Fatal(err)
	}
	argument := temporal.FanOut{Width: width, Batch: batch}
	for i := range pipelines {
		argument.Names = append(argument.Names, fmt.Sprintf("fan-%d", i))
	}
	first, err := server.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "fan", TaskQueue: t.Name()}, temporal.WorkflowFanOut, argument)
	if err != nil {
		t.Fatal(err)
	}
	firstRun := first.GetRunID()
	var got temporal.FanOutResult
	if err := first.Get(t.Context(), &got); err != nil {
		t.Fatal(err)
	}
	want := temporal.FanOutResult{Succeeded: pipelines - 3, Skipped: 1, Paused: 1, Failed: 1, Failures: []string{"fan-7"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if most > width {
		t.Errorf("%d ran at the same time, want at most %d", most, width)
	}
	for _, name := range argument.Names {
		if want := 1; ran[name] != want && name != "fan-9" {
			t.Errorf("%s ran %d times", name, ran[name])
		}
	}
	described, err := server.Client.DescribeWorkflowExecution(t.Context(), "fan", firstRun)
	if err != nil {
		t.Fatal(err)
	}
	info := described.GetWorkflowExecutionInfo()
	t.Logf("the history of %d pipelines: %d events, %d bytes", batch, info.GetHistoryLength(), info.GetHistorySizeBytes())
	if perPipeline := info.GetHistoryLength() / batch; perPipeline > 12 {
		t.Errorf("the history of a run has %d events for %d pipelines", info.GetHistoryLength(), batch)
	}
	if last, err := server.Client.DescribeWorkflowExecution(t.Context(), "fan", ""); err != nil || last.GetWorkflowExecutionInfo().GetExecution().GetRunId() == firstRun {
		t.Errorf("the workflow didn't continue as new: %v", err)
	}
	if err := server.Client.TerminateWorkflow(t.Context(), busy.GetID(), busy.GetRunID(), "the test is over"); err != nil {
		t.Error(err)
	}
}
