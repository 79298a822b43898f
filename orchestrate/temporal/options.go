package temporal

import (
	"cmp"
	"time"

	"github.com/stripe-connector/stripe-connector/client/destination"
	"github.com/stripe-connector/stripe-connector/client/pipeline"
)

const (
	defaultHeartbeatTimeout = 30 * time.Second
	defaultFollowTime       = 24 * time.Hour
	defaultSyncs            = 100
)

// Service is the connector's gRPC service. It is implemented by [github.com/stripe-connector/stripe-connector/client.Client].
type Service interface {
	pipeline.Syncer
	pipeline.Forgetter
}

// Options configure a worker.
type Options struct {
	// File is the pipeline file. All workers of a task queue should have the same.
	File *pipeline.File
	// Service is the connector's gRPC service.
	Service Service
	// Destinations are the kinds of destinations that the file may use.
	Destinations destination.Kinds
	// Getenv returns the value of an environment variable that the file refers to.
	Getenv func(string) string
	// TaskQueue is the task queue to work on. Empty means [TaskQueue].
	TaskQueue string
	// Syncs is the maximum number of syncs at the same time, including those that follow. Zero means 100.
	Syncs int
	// HeartbeatTimeout is the time after which a sync without a heartbeat is given up, and started again by any worker. Zero
	// means 30 seconds.
	HeartbeatTimeout time.Duration
	// HeartbeatInterval is how often a sync sends a heartbeat, by which it also learns that it was paused. Zero means a third of
	// HeartbeatTimeout.
	HeartbeatInterval time.Duration
	// FollowTime is how long a workflow that follows runs before it continues as new. Zero means a day.
	FollowTime time.Duration
	// Identity identifies the worker in histories. Empty means its process ID and host.
	Identity string
}

// withDefaults returns the options with zero values replaced.
func (o Options) withDefaults() Options {
	o.TaskQueue = cmp.Or(o.TaskQueue, TaskQueue)
	o.Syncs = cmp.Or(o.Syncs, defaultSyncs)
	o.HeartbeatTimeout = cmp.Or(o.HeartbeatTimeout, defaultHeartbeatTimeout)
	o.HeartbeatInterval = cmp.Or(o.HeartbeatInterval, o.HeartbeatTimeout/3)
	o.FollowTime = cmp.Or(o.FollowTime, defaultFollowTime)
	return o
}
