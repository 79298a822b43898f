package temporal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	sdk "go.temporal.io/sdk/temporal"

	"github.com/stripe-connector/stripe-connector/client/destination"
	"github.com/stripe-connector/stripe-connector/client/pipeline"
)

// The activities, by the names under which a worker registers them.
const (
	activitySettings = "Settings"
	activitySync     = "Sync"
	activityReread   = "Reread"
	activityPause    = "PauseSchedule"
	activityResume   = "ResumeSchedule"
)

const (
	// errorStopped is the type of the error of a sync whose worker was asked to stop.
	errorStopped = "STOPPED"
	// errorUnknown is the type of the error for a pipeline that the worker's file doesn't have.
	errorUnknown = "UNKNOWN_PIPELINE"
)

// activities are the activities of a worker.
type activities struct {
	Options
	client    client.Client
	namespace string
}

// Settings are what a workflow has to know about a pipeline.
type Settings struct {
	Follows          bool
	Attempts         int
	Wait             time.Duration
	HeartbeatTimeout time.Duration
	// Attributes reports whether the search attributes are registered. Setting others would block the workflow.
	Attributes bool
}

func (a *activities) settings(ctx context.Context, name string) (Settings, error) {
	p, err := a.pipeline(name)
	if err != nil {
		return Settings{}, err
	}
	s := Settings{Follows: p.Schedule.Follows(), Attempts: p.Attempts, Wait: p.Wait, HeartbeatTimeout: a.HeartbeatTimeout}
	registered, err := a.client.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: a.namespace})
	if err != nil {
		activity.GetLogger(ctx).Warn("The search attributes are not set, since they can't be listed.", "error", err)
		return s, nil
	}
	types := registered.GetCustomAttributes()
	s.Attributes = types[AttributePipeline] == enums.INDEXED_VALUE_TYPE_KEYWORD && types[AttributeStatus] == enums.INDEXED_VALUE_TYPE_KEYWORD
	return s, nil
}

// pipeline returns the pipeline with this name, even if it is paused in the file: it may be run by hand.
func (a *activities) pipeline(name string) (*pipeline.Pipeline, error) {
	all := slices.Concat(a.File.Pipelines, a.File.Paused)
	i := slices.IndexFunc(all, func(p pipeline.Pipeline) bool { return p.Name == name })
	if i < 0 {
		return nil, sdk.NewNonRetryableApplicationError(fmt.Sprintf("There is no pipeline %q in the worker's file: give all workers the "+
			"file that was applied.", name), errorUnknown, nil)
	}
	return &all[i], nil
}

// reread marks streams to be read from the beginning by the next sync.
func (a *activities) reread(ctx context.Context, name string, streams []string) (int, error) {
	p, err := a.pipeline(name)
	if err != nil {
		return 0, err
	}
	n, err := p.Reread(ctx, a.execution(ctx, name), streams, a.Service)
	return n, applicationError(err, retryDelay(activity.GetInfo(ctx).Attempt, p.Wait, 0, err))
}

// execution returns what both activities that use the destination need.
func (a *activities) execution(ctx context.Context, name string) pipeline.Execution {
	token := activity.GetInfo(ctx).TaskToken
	return pipeline.Execution{
		Service: a.Service, Destinations: a.Destinations, Getenv: a.Getenv,
		Fence: &destination.Fence{
			Owner: a.namespace + " " + name,
			// Temporal rejects the heartbeat of an attempt that it has given up.
			Confirm: func(ctx context.Context) error { return a.client.RecordActivityHeartbeat(ctx, token) },
		},
	}
}

// applicationError converts a [pipeline.Failure] for Temporal, without its cause, which may contain secrets. The next attempt
// follows after delay, or as the retry policy says if it is zero.
func applicationError(err error, delay time.Duration) error {
	f, ok := errors.AsType[*pipeline.Failure](err)
	if !ok {
		return err
	}
	return sdk.NewApplicationErrorWithOptions(f.Message, f.Class,
		sdk.ApplicationErrorOptions{NonRetryable: !f.Retryable, NextRetryDelay: delay})
}

// retryDelay returns how long to wait after an attempt that failed. Zero means as long as the retry policy says, which starts with
// wait. What the service asks for doesn't shorten that. If the attempt had worked for a while, its failure is a new one, and the waits
// start over.
func retryDelay(attempt int32, wait, worked time.Duration, err error) time.Duration {
	f, ok := errors.AsType[*pipeline.Failure](err)
	switch {
	case !ok:
		return 0
	case worked > longestWait:
		return max(wait, f.RetryAfter)
	case f.RetryAfter == 0:
		return 0
	}
	for range attempt - 1 {
		if wait = 2 * wait; wait >= longestWait {
			return max(longestWait, f.RetryAfter)
		}
	}
	return max(wait, f.RetryAfter)
}

// pause pauses the pipeline's schedule, if there is one.
func (a *activities) pause(ctx context.Context, name, note string) error {
	return ifFound(a.client.ScheduleClient().GetHandle(ctx, ID(name)).Pause(ctx, client.SchedulePauseOptions{Note: note}))
}

// resume ends the pause of the pipeline's schedule, if there is one.
func (a *activities) resume(ctx context.Context, name string) error {
	return ifFound(a.client.ScheduleClient().GetHandle(ctx, ID(name)).Unpause(ctx, client.ScheduleUnpauseOptions{Note: "Resumed on request."}))
}

// ifFound returns err, or nil if it means that there is no schedule.
func ifFound(err error) error {
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return nil
	}
	return err
}
