package temporal_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	sdk "go.temporal.io/sdk/temporal"

	connector "github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/all"
	"github.com/stripe-connector/stripe-connector/client/pipeline"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

const plantedKey = "rk_test_Planted4Secret"

// fake is a service whose syncs are functions. It records the calls.
type fake struct {
	mu        sync.Mutex
	calls     []string
	sync      func(ctx context.Context, call int, opts connector.SyncOptions) error
	syncCalls int
}

func (f *fake) Sync(ctx context.Context, opts connector.SyncOptions) (*connector.Report, error) {
	f.mu.Lock()
	f.calls = append(f.calls, "sync")
	f.syncCalls++
	call := f.syncCalls
	f.mu.Unlock()
	report := &connector.Report{Streams: []connector.StreamReport{{Stream: "charges", Upserts: int64(call),
		Status: connectorv1.StreamStatus_STREAM_STATUS_COMPLETE}}}
	if f.sync == nil {
		return report, nil
	}
	return report, f.sync(ctx, call, opts)
}

func (f *fake) Forget(_ context.Context, opts connector.SyncOptions) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, "forget "+strings.Join(opts.Selection.Select, " "))
	return len(opts.Selection.Select), nil
}

// seen returns the calls so far.
func (f *fake) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// hang returns a function for fake.sync that doesn't return before ctx is done.
func hang(ctx context.Context, _ int, _ connector.SyncOptions) error {
	<-ctx.Done()
	return ctx.Err()
}

func failureOf(class connectorv1.FailureClass, retryable bool, message string) error {
	return &connector.Error{Failure: &connectorv1.Failure{Class: class, Retryable: retryable, Message: message}}
}

// world is a worker with a pipeline of the test's own.
type world struct {
	*testing.T
	name  string // of the pipeline and of the task queue
	stop  func()
	queue client.StartWorkflowOptions
}

// newWorld starts a worker with one pipeline, which has these additional lines.
func newWorld(t *testing.T, service temporal.Service, lines string, change ...func(*temporal.Options)) *world {
	t.Helper()
	w := &world{T: t, name: strings.ToLower(strings.Map(func(r rune) rune {
		if r == '/' || r == ' ' || r == '\'' {
			return '-'
		}
		return r
	}, t.Name()))}
	w.queue = client.StartWorkflowOptions{TaskQueue: w.name}
	if !strings.Contains(lines, "destination:") {
		lines = "destination: jsonl:lines\n    " + lines
	}
	if !strings.Contains(lines, "config:") {
		lines = "config: {api_key: \"${KEY}\"}\n    " + lines
	}
	content := "pipelines:\n  " + w.name + ":\n    " + lines + "\n"
	file, err := pipeline.Parse(filepath.Join(t.TempDir(), "pipelines.yaml"), []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	o := temporal.Options{File: file, Service: service, Destinations: all.Kinds(), TaskQueue: w.name, Identity: "test",
		HeartbeatTimeout: 5 * time.Minute, HeartbeatInterval: 200 * time.Millisecond, // a busy machine loses no worker, and cancels soon
		Getenv: func(string) string { return plantedKey }}
	for _, c := range change {
		c(&o)
	}
	worker := temporal.NewWorker(server.Client, server.Namespace, o)
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	w.stop = sync.OnceFunc(worker.Stop)
	t.Cleanup(w.stop)
	return w
}

// start starts a workflow for the pipeline.
func (w *world) start(workflow string) client.WorkflowRun {
	w.Helper()
	options := w.queue
	if options.ID = temporal.ID(w.name); workflow == temporal.WorkflowDue {
		options.ID += "-due"
	}
	run, err := server.Client.ExecuteWorkflow(w.Context(), options, workflow, w.name)
	if err != nil {
		w.Fatal(err)
	}
	return run
}

// signal sends a signal to the pipeline, which it starts if necessary.
func (w *world) signal(signal string, payload any) client.WorkflowRun {
	w.Helper()
	run, err := server.Client.SignalWithStartWorkflow(w.Context(), temporal.ID(w.name), signal, payload, w.queue, temporal.WorkflowPipeline, w.name)
	if err != nil {
		w.Fatal(err)
	}
	return run
}

// result waits for a workflow, and returns the status of its result or the type of its error.
func (w *world) result(run client.WorkflowRun) string {
	w.Helper()
	var result temporal.Result
	err := run.Get(w.Context(), &result)
	if failure, ok := errors.AsType[*sdk.ApplicationError](err); ok {
		w.Log(failure)
		return failure.Type()
	}
	if err != nil {
		w.Fatal(err)
	}
	return result.Status
}

// text returns the whole history of a workflow as text.
func (w *world) text(run client.WorkflowRun) string {
	w.Helper()
	var text strings.Builder
	for _, event := range w.history(run).GetEvents() {
		text.WriteString(event.String() + "\n")
	}
	return text.String()
}

func (w *world) history(run client.WorkflowRun) *history.History {
	w.Helper()
	var h history.History
	all := server.Client.GetWorkflowHistory(w.Context(), run.GetID(), run.GetRunID(), false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for all.HasNext() {
		event, err := all.Next()
		if err != nil {
			w.Fatal(err)
		}
		h.Events = append(h.Events, event)
	}
	return &h
}

// schedule creates the pipeline's schedule, which never runs by itself, and deletes it when the test ends.
func (w *world) schedule() client.ScheduleHandle {
	w.Helper()
	handle, err := server.Client.ScheduleClient().Create(w.Context(), client.ScheduleOptions{ID: temporal.ID(w.name),
		Action: &client.ScheduleWorkflowAction{ID: temporal.ID(w.name) + "-due", Workflow: temporal.WorkflowDue, Args: []any{w.name}, TaskQueue: w.name}})
	if err != nil {
		w.Fatal(err)
	}
	deleteAfter(w.T, w.name)
	return handle
}

// deleteAfter deletes a pipeline's schedule when the test ends, so that the test can run again.
func deleteAfter(t *testing.T, name string) {
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_ = server.Client.ScheduleClient().GetHandle(ctx, temporal.ID(name)).Delete(ctx) // an error shows in the next run
	})
}

// pausedNote returns the schedule's note if it is paused, or "".
func (w *world) pausedNote(handle client.ScheduleHandle) string {
	w.Helper()
	found, err := handle.Describe(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	if !found.Schedule.State.Paused {
		return ""
	}
	return found.Schedule.State.Note
}

// until waits until is returns true, almost as long as go test does.
func (w *world) until(what string, is func() bool) {
	w.Helper()
	end, limited := w.Deadline()
	for end = end.Add(-20 * time.Second); !is(); time.Sleep(50 * time.Millisecond) {
		if limited && time.Now().After(end) {
			w.Fatalf("gave up waiting until %s", what)
		}
	}
}
