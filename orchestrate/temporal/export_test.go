package temporal

// FanOutWorkflow is for tests of WorkflowFanOut with other pipelines.
var FanOutWorkflow = fanOut

// For tests of what takes too long with a real server.
var (
	ReachedState = reachedState
	RetryDelay   = retryDelay
)
