package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/runlog"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

const (
	day = 24 * time.Hour
	// followInterval is the time between two checks for changes. They use a fiftieth of the requests that Stripe
	// allows.
	followInterval = 2 * time.Second
)

// failure is the error of a run, without secrets.
type failure struct {
	class, message string
	passing        bool          // whether a retry may succeed without any change
	after          time.Duration // the minimum time to wait before a retry
	cause          error
}

func (f *failure) Error() string { return f.message }
func (f *failure) Unwrap() error { return f.cause }

// run executes one run and logs it.
func (r *Runner) run(ctx context.Context, p Pipeline, slot time.Time, attempt int) error {
	logging := context.WithoutCancel(ctx) // so that the end of a canceled run is logged, too
	run := &runlog.Run{Pipeline: p.Name, Slot: slot, Attempt: attempt, Process: process(), Started: time.Now()}
	if err := r.Log.Begin(logging, run); err != nil {
		return err
	}
	resolved, err := p.Resolve(ctx, r.Getenv)
	if err != nil {
		resolved = &Resolved{}
		err = &failure{class: "CONFIG", message: err.Error()}
	}
	o := &observer{run: run, log: r.Log, hide: resolved.Redact}
	syncing := ctx
	if p.Schedule.Follows() {
		// End the run at midnight UTC and start another, so that the log and reports cover each day separately.
		var cancel context.CancelFunc
		syncing, cancel = context.WithDeadline(ctx, run.Started.UTC().Truncate(day).Add(day))
		defer cancel()
		o.follows = true
		o.entry(ctx, "info", "", "", fmt.Sprintf("Following changes until midnight UTC, attempt %d.", attempt))
	} else {
		o.entry(ctx, "info", "", "", fmt.Sprintf("Attempt %d of at most %d for the slot at %s.", attempt, p.Attempts, slot.UTC().Format(time.RFC3339)))
	}
	var report *client.Report
	if err == nil {
		report, err = r.sync(syncing, p, resolved, o)
	}
	o.end(ctx, report)
	run.Ended = time.Now()
	total := run.Total()
	switch f, _ := errors.AsType[*failure](err); {
	case ctx.Err() != nil:
		run.Status, err = runlog.Stopped, ctx.Err()
		o.entry(ctx, "info", "", "", "The process was asked to stop. The stored data is consistent; the next run resumes from there.")
	case f != nil && syncing.Err() == nil:
		f.message = resolved.Redact(f.message)
		run.Status, run.Class, run.Error = runlog.Failed, f.class, f.message
		o.entry(ctx, "error", "", "", f.message)
	default:
		run.Status, err = runlog.Succeeded, nil
		r.notify(p, "run %d succeeded in %s: %d records extracted, %d rows loaded, %d deleted", run.ID,
			run.Ended.Sub(run.Started).Round(100*time.Millisecond), total.Extracted, total.Loaded, total.Deleted)
	}
	if saved := errors.Join(r.Log.Save(logging, run), o.err); saved != nil {
		return errors.Join(err, saved)
	}
	return err
}

// sync opens the destination and syncs into it. Its errors are of type *failure.
func (r *Runner) sync(ctx context.Context, p Pipeline, resolved *Resolved, o *observer) (*client.Report, error) {
	d, err := r.Destinations.Open(ctx, r.Destinations.Resolve(p.folder, resolved.Destination))
	if err != nil {
		return nil, asFailure(err)
	}
	report, err := r.Service.Sync(ctx, client.SyncOptions{
		Config: resolved.Config, Destination: d, Selection: p.Selection, Reconcile: r.Reconcile && !p.Schedule.Follows(),
		Follow: p.Schedule.Follows(), FollowInterval: followInterval,
		Observe: func(ctx context.Context, m *connectorv1.ReadResponse) {
			o.observe(ctx, m)
			if r.Observe != nil {
				r.Observe(p.Name, m)
			}
		},
	})
	if err = errors.Join(err, d.Close()); err != nil {
		return report, asFailure(err)
	}
	return report, nil
}

// asFailure classifies an error of a sync. A [client.Error] comes from the service, any other error from the
// destination.
func asFailure(err error) *failure {
	e, ok := errors.AsType[*client.Error](err)
	if !ok {
		return &failure{class: "DESTINATION", message: err.Error(), passing: true, cause: err}
	}
	return &failure{
		class: strings.TrimPrefix(e.Failure.GetClass().String(), "FAILURE_CLASS_"), message: err.Error(),
		passing: e.Retryable(), after: e.RetryAfter(), cause: err,
	}
}

// statusWord returns the word with which the run log describes a stream's status.
func statusWord(s connectorv1.StreamStatus) string {
	switch s {
	case connectorv1.StreamStatus_STREAM_STATUS_UNSPECIFIED:
		return "not started"
	case connectorv1.StreamStatus_STREAM_STATUS_STARTED:
		return "running"
	}
	return strings.ToLower(strings.TrimPrefix(s.String(), "STREAM_STATUS_"))
}
