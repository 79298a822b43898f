package temporal_test

import (
	"testing"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
)

// TestAPipelineRunsOnceAtATime tests the exclusion on which everything else relies: no two workflows with a pipeline's ID.
func TestAPipelineRunsOnceAtATime(t *testing.T) {
	w := worker.New(server.Client, t.Name(), worker.Options{})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context, name string) (string, error) {
		workflow.GetSignalChannel(ctx, temporal.SignalPause).Receive(ctx, nil)
		return name, nil
	}, workflow.RegisterOptions{Name: temporal.WorkflowPipeline})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	options := client.StartWorkflowOptions{ID: temporal.ID("once"), TaskQueue: t.Name(), WorkflowExecutionErrorWhenAlreadyStarted: true}
	first, err := server.Client.ExecuteWorkflow(t.Context(), options, temporal.WorkflowPipeline, "once")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.Client.ExecuteWorkflow(t.Context(), options, temporal.WorkflowPipeline, "once"); err == nil {
		t.Error("a second workflow with the same ID was started")
	}
	if err := server.Client.SignalWorkflow(t.Context(), first.GetID(), "", temporal.SignalPause, nil); err != nil {
		t.Fatal(err)
	}
	var result string
	if err := first.Get(t.Context(), &result); err != nil || result != "once" {
		t.Errorf("got %q, %v", result, err)
	}
}
