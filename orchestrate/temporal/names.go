package temporal

// The workflows, by the names under which a worker registers them. Each takes the name of a pipeline and nothing else, so
// that histories hold no configuration.
const (
	// WorkflowDue is the action of a schedule. It runs WorkflowPipeline as a child with the pipeline's ID and waits for it. If
	// the pipeline is already running, it does nothing.
	WorkflowDue = "Due"
	// WorkflowPipeline syncs a pipeline.
	WorkflowPipeline = "Pipeline"
	// WorkflowFanOut runs a list of pipelines as children, a limited number at the same time. Its argument is a [FanOut].
	WorkflowFanOut = "FanOut"
)

// TaskQueue is the default task queue of workers and schedules.
const TaskQueue = "stripe-connector"

// ID returns the ID of a pipeline's schedule, which is also the ID of its WorkflowPipeline. Since a namespace has no two
// running workflows with the same ID, a pipeline never runs twice at the same time.
func ID(pipeline string) string { return "stripe-connector:" + pipeline }

// The signals of WorkflowPipeline.
const (
	SignalPause   = "pause"
	SignalResume  = "resume"
	SignalSyncNow = "sync_now"
	// SignalReread carries the names of the streams to re-read, a []string.
	SignalReread = "reread"
)

// QueryProgress is the query of WorkflowPipeline for its progress.
const QueryProgress = "progress"

// The search attributes of WorkflowPipeline, all of type Keyword. They are set if they are registered.
const (
	// AttributePipeline is the name of the pipeline.
	AttributePipeline = "StripeConnectorPipeline"
	// AttributeStatus is "running", "succeeded", "paused" or the class of the failure, such as AUTH.
	AttributeStatus = "StripeConnectorStatus"
)

// PausedByWorker begins the note of a schedule that a worker paused, because the pipeline fails until someone fixes its
// configuration or key. The class and the message of the failure follow. Such a schedule stays paused until it is resumed or the
// pipeline's definition changes.
const PausedByWorker = "paused by the worker: "
