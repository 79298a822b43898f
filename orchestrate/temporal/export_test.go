package temporal

// FanOutWorkflow is for tests of WorkflowFanOut with other pipelines.
var FanOutWorkflow = fanOut
