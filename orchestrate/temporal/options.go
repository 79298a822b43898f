package temporal

import (
	"github.com/stripe-connector/stripe-connector/client/destination"
	"github.com/stripe-connector/stripe-connector/client/pipeline"
)

// Options configure a worker.
type Options struct {
	// File is the pipeline file. All workers of a task queue should have the same.
	File *pipeline.File
	// Service is the connector's gRPC service.
	Service pipeline.Syncer
	// Destinations are the kinds of destinations that the file may use.
	Destinations destination.Kinds
	// Getenv returns the value of an environment variable that the file refers to.
	Getenv func(string) string
	// TaskQueue is the task queue to work on. Empty means [TaskQueue].
	TaskQueue string
}
