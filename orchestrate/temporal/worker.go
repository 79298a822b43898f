package temporal

import (
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// stopTime is how long a worker that stops waits for its syncs to store what they have received.
const stopTime = 30 * time.Second

// NewWorker returns a worker for the pipelines of a file. c must be a client of namespace.
func NewWorker(c client.Client, namespace string, o Options) worker.Worker {
	o = o.withDefaults()
	w := worker.New(c, o.TaskQueue, worker.Options{
		Identity:                           o.Identity,
		MaxConcurrentActivityExecutionSize: o.Syncs,
		WorkerStopTimeout:                  stopTime,
		MaxHeartbeatThrottleInterval:       o.HeartbeatInterval / 2, // by default, it sends them too close to the timeout
	})
	Register(w)
	a := &activities{Options: o, client: c, namespace: namespace}
	for name, f := range map[string]any{
		activitySettings: a.settings, activitySync: a.sync, activityReread: a.reread, activityPause: a.pause, activityResume: a.resume,
	} {
		w.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: name})
	}
	return w
}

// Register registers the workflows.
func Register(r worker.WorkflowRegistry) {
	r.RegisterWorkflowWithOptions(due, workflow.RegisterOptions{Name: WorkflowDue})
	r.RegisterWorkflowWithOptions(runPipeline, workflow.RegisterOptions{Name: WorkflowPipeline})
	r.RegisterWorkflowWithOptions(fanOut, workflow.RegisterOptions{Name: WorkflowFanOut})
}
