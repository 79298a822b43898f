package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination"
	"github.com/stripe-connector/stripe-connector/client/runlog"
	"github.com/stripe-connector/stripe-connector/client/schedule"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// longestWait is the maximum time between two runs of the same slot, unless the service requests a longer one.
const longestWait = 15 * time.Minute

// longestSleep bounds each sleep, so that clock changes and a machine's suspension are noticed.
const longestSleep = time.Minute

// Syncer is implemented by [client.Client].
type Syncer interface {
	Sync(ctx context.Context, opts client.SyncOptions) (*client.Report, error)
}

// Runner runs the pipelines of a file. Its fields must not change once it runs.
type Runner struct {
	File    *File
	Service Syncer
	Log     *runlog.Store
	// Destinations are the kinds of destinations that the file may use.
	Destinations destination.Kinds
	// Reconcile makes each run end by comparing the streams with the source and repairing any difference. Pipelines
	// that follow ignore it.
	Reconcile bool
	// Observe, if set, is called with the messages of each pipeline's runs. It may be called concurrently.
	Observe func(pipeline string, m *connectorv1.ReadResponse)
	// Getenv returns the value of an environment variable that the file refers to.
	Getenv func(string) string
	// Notify, if set, is called with a message about each event of a pipeline. It may be called concurrently.
	Notify func(pipeline, message string)
}

// Run runs each pipeline on its schedule until ctx is done, and returns when all runs have stopped. No data is lost:
// the next Run resumes where this one stopped. A failed run doesn't end Run: it is reported, logged and retried.
func (r *Runner) Run(ctx context.Context) error {
	var all errgroup.Group
	for _, p := range r.File.Pipelines {
		all.Go(func() error {
			err := r.follow(ctx, p)
			if isContextError(err) {
				return nil
			}
			return fmt.Errorf("pipeline %s: %w", p.Name, err)
		})
	}
	return all.Wait()
}

// Once runs each pipeline once, all of them concurrently, and returns the joined errors of those that failed.
func (r *Runner) Once(ctx context.Context) error {
	now := time.Now()
	errs := make([]error, len(r.File.Pipelines))
	var all errgroup.Group
	for i, p := range r.File.Pipelines {
		p.Schedule = schedule.Schedule{} // one that doesn't follow
		all.Go(func() error {
			if errs[i] = r.runSlot(ctx, p, now); errs[i] != nil && !isContextError(errs[i]) {
				errs[i] = fmt.Errorf("pipeline %s: %w", p.Name, errs[i])
			}
			return nil
		})
	}
	_ = all.Wait() // the errors are in errs, in file order
	return errors.Join(errs...)
}

// follow runs a pipeline on its schedule until ctx is done.
func (r *Runner) follow(ctx context.Context, p Pipeline) error {
	last, err := r.Log.Last(ctx, p.Name)
	if err != nil {
		return err
	}
	slot := first(p, last, time.Now())
	for {
		r.notify(p, "next run at %s (%s)", slot.UTC().Format("2006-01-02 15:04:05 UTC"), p.Schedule)
		if err := sleepUntil(ctx, slot); err != nil {
			return err
		}
		if err := r.runSlot(ctx, p, slot); isContextError(err) {
			return err
		} else if err != nil {
			r.notify(p, "%s", err)
		}
		if err := r.Log.Prune(ctx, time.Now().Add(-r.File.Keep)); err != nil && ctx.Err() == nil {
			r.notify(p, "%s", err)
		}
		slot = p.Schedule.Next(slot, time.Now())
	}
}

// first returns the first slot at or after now, when the process started. An interrupted run resumes at once.
func first(p Pipeline, last *runlog.Run, now time.Time) time.Time {
	if last == nil {
		return p.Schedule.First(time.Time{}, now)
	}
	switch last.Status {
	case runlog.Running, runlog.Stopped, runlog.Lost:
		return now
	}
	return p.Schedule.First(last.Slot, now)
}

// runSlot runs a pipeline for a slot, with retries if the failure may be temporary. It returns the error of the last
// attempt.
func (r *Runner) runSlot(ctx context.Context, p Pipeline, slot time.Time) (err error) {
	lock, err := r.File.lock(ctx, p.Name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	last, err := r.Log.Last(ctx, p.Name)
	if err != nil {
		return err
	}
	if last != nil && !last.Slot.Before(slot) {
		return nil // another process has already run this slot
	}
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval, waits.Multiplier = p.Wait, longestWait, 2
	waits.Reset()
	for n := 1; ; n++ {
		begun := time.Now()
		err := r.run(ctx, p, slot, n)
		failed, ok := errors.AsType[*Failure](err)
		if !ok || !p.Schedule.Follows() && (!failed.Retryable || n >= p.Attempts) {
			return err
		}
		if time.Since(begun) > longestWait {
			waits.Reset() // it worked for a while, so this is a new failure
		}
		wait := max(waits.NextBackOff(), failed.RetryAfter)
		if !failed.Retryable { // it won't succeed until someone fixes the cause
			wait = longestWait
		}
		attempt := fmt.Sprintf("attempt %d", n+1)
		if !p.Schedule.Follows() {
			attempt += fmt.Sprintf(" of %d", p.Attempts)
		}
		r.notify(p, "%s; %s follows in %s", err, attempt, wait.Round(time.Second))
		if err := sleepUntil(ctx, time.Now().Add(wait)); err != nil {
			return err
		}
	}
}

func (r *Runner) notify(p Pipeline, format string, args ...any) {
	if r.Notify != nil {
		r.Notify(p.Name, fmt.Sprintf(format, args...))
	}
}

// sleepUntil sleeps until the wall clock shows t.
func sleepUntil(ctx context.Context, t time.Time) error {
	t = t.Round(0)
	for {
		left := time.Until(t)
		if left <= 0 {
			return ctx.Err()
		}
		timer := time.NewTimer(min(left, longestSleep))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// isContextError reports whether err is an error of a context.
func isContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// process returns "host:pid", which identifies this process in the run log.
func process() string {
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	return fmt.Sprintf("%s:%d", host, os.Getpid())
}
