package temporal

import (
	"errors"
	"slices"
	"time"

	enums "go.temporal.io/api/enums/v1"
	sdk "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

const (
	// longestSync is longer than any sync takes. Workers that die are noticed by missing heartbeats.
	longestSync = 60 * 24 * time.Hour
	longestWait = 15 * time.Minute // as in package pipeline
	callTime    = time.Minute      // for calls to Temporal itself
	rereadTime  = 10 * time.Minute
	// maxLost is how many workers a sync may lose in a row, without reaching a state. Then it is likely the cause.
	maxLost = 10
)

// changeSignals is the ID of the change since which signals act whenever they arrive: a resume during a sync acts at once, a pause
// keeps a reread that arrives with it, and signals that arrive before a sync fails, or while the schedule is being paused, aren't
// lost.
const changeSignals = "signals at any time"

// execution is one run of WorkflowPipeline.
//
// Workflow code is replayed from histories, so it must make the same decisions for the same history. A change of the order or
// the kind of its commands goes behind workflow.GetVersion, with a new change ID, until no workflow started before it is
// running:
//
//	if workflow.GetVersion(ctx, "what changed", workflow.DefaultVersion, 1) == 1 { … }
//
// TestReplay replays recorded histories, and fails if such a change isn't. Record the histories of the new version beside the
// old ones with: go test . -run Replay -update
type execution struct {
	name     string
	settings Settings
	state    State
	paused   bool
	resumed  bool
}

// runPipeline is WorkflowPipeline. It syncs the pipeline at least once, and once more for each signal that requires it.
func runPipeline(ctx workflow.Context, name string) (Result, error) {
	e := &execution{name: name, state: State{Status: StatusRunning}}
	if err := workflow.SetQueryHandler(ctx, QueryProgress, func() (State, error) { return e.state, nil }); err != nil {
		return Result{}, err
	}
	if err := workflow.ExecuteLocalActivity(quick(ctx), activitySettings, name).Get(ctx, &e.settings); err != nil {
		return Result{}, err
	}
	for {
		e.receive(ctx)
		if err := e.resumeSchedule(ctx); err != nil {
			return Result{}, err
		}
		if e.paused {
			if ended, err := e.pause(ctx); ended {
				return Result{Status: StatusPaused, Streams: e.state.Streams}, err
			}
			continue
		}
		if err := e.reread(ctx); err != nil {
			return Result{}, e.failed(ctx, err)
		}
		e.state.Again = false
		e.end(ctx, StatusRunning)
		canceled, err := e.sync(ctx)
		switch {
		case canceled && ctx.Err() == nil: // for a signal
			continue
		case err != nil && e.isAsked(ctx): // since the sync began, so the cause may be fixed
			continue
		case err != nil:
			err = e.failed(ctx, err)
			if e.isAsked(ctx) {
				continue
			}
			return Result{}, err
		}
		e.state.Syncs++
		e.receive(ctx)
		switch {
		case e.paused || e.resumed || len(e.state.Reread) > 0:
		case e.settings.Follows, e.state.Again && workflow.GetInfo(ctx).GetContinueAsNewSuggested():
			return Result{}, workflow.NewContinueAsNewError(ctx, WorkflowPipeline, name)
		case !e.state.Again:
			return Result{Status: e.end(ctx, StatusSucceeded), Streams: e.state.Streams}, nil
		}
	}
}

// end sets the status, also of the search attributes if they are registered, and returns it.
func (e *execution) end(ctx workflow.Context, status string) string {
	e.state.Status = status
	if e.settings.Attributes {
		err := workflow.UpsertTypedSearchAttributes(ctx, sdk.NewSearchAttributeKeyKeyword(AttributePipeline).ValueSet(e.name),
			sdk.NewSearchAttributeKeyKeyword(AttributeStatus).ValueSet(status))
		if err != nil {
			workflow.GetLogger(ctx).Warn("The search attributes could not be set.", "error", err)
		}
	}
	return status
}

// signals calls add with a channel for each signal, and with what to do when it has been received.
func (e *execution) signals(ctx workflow.Context, add func(workflow.ReceiveChannel, func(workflow.ReceiveChannel) bool)) {
	for _, s := range []struct {
		name     string
		received func()
	}{
		{SignalPause, func() { e.paused, e.resumed = true, false }},
		{SignalResume, func() { e.paused, e.resumed = false, true }},
		{SignalSyncNow, func() { e.state.Again = true }},
	} {
		add(workflow.GetSignalChannel(ctx, s.name), func(c workflow.ReceiveChannel) bool {
			ok := c.ReceiveAsync(nil)
			if ok {
				s.received()
			}
			return ok
		})
	}
	add(workflow.GetSignalChannel(ctx, SignalReread), func(c workflow.ReceiveChannel) bool {
		var streams []string
		ok := c.ReceiveAsync(&streams)
		e.state.Reread = slices.Compact(slices.Sorted(slices.Values(append(e.state.Reread, streams...))))
		return ok
	})
}

// receive receives the signals that have arrived.
func (e *execution) receive(ctx workflow.Context) {
	e.signals(ctx, func(c workflow.ReceiveChannel, receive func(workflow.ReceiveChannel) bool) {
		for receive(c) {
		}
	})
}

// sync runs activitySync until it ends, on another worker if one dies or stops. It cancels the activity, and reports so, if a
// signal asks for something else first.
func (e *execution) sync(ctx workflow.Context) (canceled bool, err error) {
	for lost := 0; ; lost++ {
		syncing, cancel := workflow.WithCancel(e.activity(ctx))
		future := workflow.ExecuteActivity(syncing, activitySync, e.name)
		selector := workflow.NewSelector(ctx)
		selector.AddFuture(future, func(workflow.Future) {})
		e.signals(ctx, func(c workflow.ReceiveChannel, receive func(workflow.ReceiveChannel) bool) {
			selector.AddReceive(c, func(c workflow.ReceiveChannel, _ bool) { receive(c) })
		})
		for !future.IsReady() {
			selector.Select(ctx)
			if !canceled && (e.paused || len(e.state.Reread) > 0) {
				canceled = true
				cancel()
			}
			e.resumeDuringSync(ctx)
		}
		var counts map[string]Counts
		if err = future.Get(ctx, &counts); err == nil {
			e.state.Streams = counts
		}
		if canceled || !isStopped(err) && !isLost(err) {
			return canceled, err
		}
		switch {
		case isStopped(err):
			lost-- // an upgrade stops one worker after the other
		case reachedState(err):
			lost = 0
		case lost >= maxLost:
			return false, err
		}
	}
}

// activity returns the context for activitySync. Temporal retries it after failures, as the pipeline file says. It doesn't
// count the loss of a worker as a failure.
func (e *execution) activity(ctx workflow.Context) workflow.Context {
	policy := &sdk.RetryPolicy{
		InitialInterval: e.settings.Wait, BackoffCoefficient: 2, MaximumInterval: longestWait, MaximumAttempts: int32(e.settings.Attempts),
		NonRetryableErrorTypes: []string{errorStopped, "TemporalTimeout:Heartbeat"},
	}
	if e.settings.Follows {
		policy.MaximumAttempts = 0 // unlimited
	}
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: longestSync, HeartbeatTimeout: e.settings.HeartbeatTimeout, WaitForCancellation: true, RetryPolicy: policy,
	})
}

// isLost reports whether an activity ended because its worker died.
func isLost(err error) bool {
	timeout, ok := errors.AsType[*sdk.TimeoutError](err)
	return ok && timeout.TimeoutType() == enums.TIMEOUT_TYPE_HEARTBEAT
}

// isStopped reports whether an activity ended because its worker was asked to stop.
func isStopped(err error) bool {
	failure, ok := errors.AsType[*sdk.ApplicationError](err)
	return ok && failure.Type() == errorStopped
}

// reachedState reports whether a lost activity had received a state, according to its last heartbeat.
func reachedState(err error) bool {
	var p Progress
	timeout, ok := errors.AsType[*sdk.TimeoutError](err)
	return ok && timeout.HasLastHeartbeatDetails() && timeout.LastHeartbeatDetails(&p) == nil && !p.StateAt.IsZero()
}

// reread makes the next sync re-read the streams that signals named.
func (e *execution) reread(ctx workflow.Context) error {
	if len(e.state.Reread) == 0 {
		return nil
	}
	streams := e.state.Reread
	e.state.Reread = nil
	marking := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: rereadTime,
		RetryPolicy: &sdk.RetryPolicy{InitialInterval: e.settings.Wait, MaximumInterval: longestWait, MaximumAttempts: int32(e.settings.Attempts)}})
	return workflow.ExecuteActivity(marking, activityReread, e.name, streams).Get(ctx, nil)
}

// failed handles the error that ends the workflow. What only a person can fix pauses the schedule.
func (e *execution) failed(ctx workflow.Context, err error) error {
	failure, ok := errors.AsType[*sdk.ApplicationError](err)
	if !ok {
		return err
	}
	e.end(ctx, failure.Type())
	message := failure.Message()
	if failure.Type() == "AUTH" || failure.Type() == "CONFIG" {
		note := PausedByWorker + failure.Type() + ": " + message + " Fix the cause, then resume the pipeline."
		if err := e.pauseSchedule(ctx, note); err != nil {
			return err
		}
		message += " The schedule is paused until the pipeline is resumed."
	}
	return sdk.NewNonRetryableApplicationError(message, failure.Type(), nil)
}

// pause pauses the schedule, and reports whether the workflow ends. It doesn't if another signal has arrived meanwhile.
func (e *execution) pause(ctx workflow.Context) (ended bool, err error) {
	e.end(ctx, StatusPaused)
	asks := workflow.GetVersion(ctx, changeSignals, workflow.DefaultVersion, 1) == 1
	e.state.Again = false
	if err := e.pauseSchedule(ctx, "Paused on request."); err != nil || !asks {
		return true, err
	}
	if err := e.reread(ctx); err != nil { // so that the next sync does it
		return true, e.failed(ctx, err)
	}
	e.paused = false
	e.receive(ctx)
	return !e.paused && !e.resumed && !e.state.Again && len(e.state.Reread) == 0, nil
}

// resumeSchedule ends the pause of the schedule if a signal asked for it.
func (e *execution) resumeSchedule(ctx workflow.Context) error {
	if !e.resumed {
		return nil
	}
	e.resumed = false
	return workflow.ExecuteLocalActivity(quick(ctx), activityResume, e.name).Get(ctx, nil)
}

// resumeDuringSync is resumeSchedule while a sync is running, which another one follows.
func (e *execution) resumeDuringSync(ctx workflow.Context) {
	if !e.resumed || workflow.GetVersion(ctx, changeSignals, workflow.DefaultVersion, 1) != 1 {
		return
	}
	e.state.Again = true
	if err := e.resumeSchedule(ctx); err != nil {
		workflow.GetLogger(ctx).Warn("The pause of the schedule could not be ended: resume the pipeline again.", "error", err)
	}
}

// isAsked reports whether signals have asked for a sync after one that failed.
func (e *execution) isAsked(ctx workflow.Context) bool {
	if ctx.Err() != nil || workflow.GetVersion(ctx, changeSignals, workflow.DefaultVersion, 1) != 1 {
		return false
	}
	e.receive(ctx)
	return e.paused || e.resumed || e.state.Again || len(e.state.Reread) > 0
}

func (e *execution) pauseSchedule(ctx workflow.Context, note string) error {
	return workflow.ExecuteLocalActivity(quick(ctx), activityPause, e.name, note).Get(ctx, nil)
}

// quick returns the context for local activities, which call Temporal at most. They don't wait for syncs to end, as
// other activities may.
func quick(ctx workflow.Context) workflow.Context {
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{ScheduleToCloseTimeout: callTime})
}
