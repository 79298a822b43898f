package temporal_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	sdk "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/types/known/durationpb"

	connector "github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/pipeline"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// TestRetryDelay tests that the next attempt follows after the longer of what the service asks for and what the file says.
func TestRetryDelay(t *testing.T) {
	const attempts = 1_000_000 // how often one that follows may fail in a day
	for name, test := range map[string]struct {
		attempt             int32
		wait, worked, after time.Duration
		want                time.Duration
	}{
		"policy":               {1, time.Minute, 0, 0, 0},
		"longer than policy":   {1, time.Minute, 0, 2 * time.Hour, 2 * time.Hour},
		"shorter than policy":  {1, time.Minute, 0, time.Second, time.Minute},
		"third attempt":        {3, time.Minute, 0, time.Second, 4 * time.Minute},
		"many attempts":        {attempts, time.Minute, 0, time.Second, 15 * time.Minute},
		"many, longer":         {attempts, time.Minute, 0, time.Hour, time.Hour},
		"has worked":           {attempts, time.Minute, 20 * time.Minute, 0, time.Minute},
		"has worked, longer":   {attempts, time.Minute, 20 * time.Minute, time.Hour, time.Hour},
		"has worked too short": {attempts, time.Minute, 10 * time.Minute, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			failure := &pipeline.Failure{Class: "TRANSIENT", Retryable: true, RetryAfter: test.after}
			if got := temporal.RetryDelay(test.attempt, test.wait, test.worked, failure); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// TestServiceDelaysRetry tests that Temporal waits as long as the service asks for.
func TestServiceDelaysRetry(t *testing.T) {
	t.Parallel()
	const after = 2 * time.Hour
	f := &fake{sync: func(context.Context, int, connector.SyncOptions) error {
		return &connector.Error{Failure: &connectorv1.Failure{Class: connectorv1.FailureClass_FAILURE_CLASS_RATE_LIMIT, Retryable: true,
			Message: "Too many requests.", RetryAfter: durationpb.New(after)}}
	}}
	w := newWorld(t, f, "retry: {wait: 100ms}")
	run := w.start(temporal.WorkflowPipeline)
	var pending *workflow.PendingActivityInfo
	w.until("the first attempt has failed", func() bool {
		found, err := server.Client.DescribeWorkflowExecution(t.Context(), run.GetID(), "")
		if err != nil || len(found.GetPendingActivities()) == 0 {
			return false
		}
		pending = found.GetPendingActivities()[0]
		return pending.GetAttempt() == 2
	})
	if got := pending.GetNextAttemptScheduleTime().AsTime().Sub(pending.GetLastAttemptCompleteTime().AsTime()); got < after-time.Second {
		t.Errorf("the next attempt follows after %s, want %s", got, after)
	}
	if err := server.Client.TerminateWorkflow(t.Context(), run.GetID(), "", "the test is over"); err != nil {
		t.Error(err)
	}
}

// TestStopsDontCount tests that any number of workers may stop, as in an upgrade of many.
func TestStopsDontCount(t *testing.T) {
	t.Parallel()
	const stops = 25
	var calls atomic.Int64
	w := worker.New(server.Client, t.Name(), worker.Options{})
	temporal.Register(w)
	w.RegisterActivityWithOptions(func(string) (temporal.Settings, error) {
		return temporal.Settings{Attempts: 1, Wait: time.Second, HeartbeatTimeout: 5 * time.Minute}, nil
	}, activity.RegisterOptions{Name: "Settings"})
	w.RegisterActivityWithOptions(func(string) (map[string]temporal.Counts, error) {
		if calls.Add(1) <= stops {
			return nil, sdk.NewNonRetryableApplicationError("planted", "STOPPED", nil)
		}
		return nil, nil
	}, activity.RegisterOptions{Name: "Sync"})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	run, err := server.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: t.Name()}, temporal.WorkflowPipeline, "shop")
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Get(t.Context(), nil); err != nil || calls.Load() != stops+1 {
		t.Errorf("got %v after %d syncs, want success after %d", err, calls.Load(), stops+1)
	}
}

// TestReachedState tests which losses of a worker begin a new count.
func TestReachedState(t *testing.T) {
	for name, test := range map[string]struct {
		details []any
		want    bool
	}{
		"a state":         {[]any{temporal.Progress{StateAt: time.Unix(1, 0)}}, true},
		"records only":    {[]any{temporal.Progress{Records: map[string]int64{"charges": 1}}}, false},
		"no heartbeat":    {nil, false},
		"another version": {[]any{"words"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := sdk.GetDefaultFailureConverter()
			err := c.FailureToError(c.ErrorToFailure(sdk.NewHeartbeatTimeoutError(test.details...)))
			if got := temporal.ReachedState(err); got != test.want {
				t.Errorf("got %t for %v, want %t", got, err, test.want)
			}
		})
	}
}
