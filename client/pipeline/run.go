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

const day = 24 * time.Hour

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
		err = unresolved(err)
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
	switch f, _ := errors.AsType[*Failure](err); {
	case ctx.Err() != nil:
		run.Status, err = runlog.Stopped, ctx.Err()
		o.entry(ctx, "info", "", "", "The process was asked to stop. The stored data is consistent; the next run resumes from there.")
	case f != nil && syncing.Err() == nil:
		run.Status, run.Class, run.Error = runlog.Failed, f.Class, f.Message
		o.entry(ctx, "error", "", "", f.Message)
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

// sync runs the pipeline once. Its errors are those of [Pipeline.Sync].
func (r *Runner) sync(ctx context.Context, p Pipeline, resolved *Resolved, o *observer) (*client.Report, error) {
	return p.sync(ctx, Execution{
		Service: r.Service, Destinations: r.Destinations, Reconcile: r.Reconcile,
		Observe: func(ctx context.Context, m *connectorv1.ReadResponse) {
			o.observe(ctx, m)
			if r.Observe != nil {
				r.Observe(p.Name, m)
			}
		},
	}, resolved)
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
