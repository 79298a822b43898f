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
)

// longestWait is the longest time between two runs of the same slot.
const longestWait = 15 * time.Minute

// longestSleep bounds a sleep, so that a clock that was set, or a machine that slept, is noticed.
const longestSleep = time.Minute

// Syncer does what a [client.Client] does in Sync.
type Syncer interface {
	Sync(ctx context.Context, opts client.SyncOptions) (*client.Report, error)
}

// Runner runs the pipelines of a file. Its fields are set before it runs.
type Runner struct {
	File    *File
	Service Syncer
	Log     *runlog.Store
	// Destinations are the kinds of destinations that the file may name.
	Destinations destination.Kinds
	// Getenv looks up the environment variables that the file refers to.
	Getenv func(string) string
	// Tell, if set, is told in a sentence what happens to a pipeline. It may be called at once.
	Tell func(pipeline, message string)
}

// Run runs each pipeline by its schedule until ctx is done, and returns when all have come to rest; nothing is lost, and the
// next Run goes on from there. A run that fails ends nothing: it is told, logged, and tried again.
func (r *Runner) Run(ctx context.Context) error {
	var all errgroup.Group
	for _, p := range r.File.Pipelines {
		all.Go(func() error {
			err := r.follow(ctx, p)
			if ended(err) {
				return nil
			}
			return fmt.Errorf("pipeline %s: %w", p.Name, err)
		})
	}
	return all.Wait()
}

// Once runs each pipeline once, now, all at the same time. Its error joins those of the pipelines that did not succeed.
func (r *Runner) Once(ctx context.Context) error {
	now := time.Now()
	errs := make([]error, len(r.File.Pipelines))
	var all errgroup.Group
	for i, p := range r.File.Pipelines {
		all.Go(func() error {
			if errs[i] = r.turn(ctx, p, now); errs[i] != nil && !ended(errs[i]) {
				errs[i] = fmt.Errorf("pipeline %s: %w", p.Name, errs[i])
			}
			return nil
		})
	}
	_ = all.Wait() // the errors are in errs, in the order of the file
	return errors.Join(errs...)
}

// follow runs a pipeline at the slots of its schedule, until ctx is done.
func (r *Runner) follow(ctx context.Context, p Pipeline) error {
	last, err := r.Log.Last(ctx, p.Name)
	if err != nil {
		return err
	}
	slot := first(p, last, time.Now())
	for {
		r.tell(p, "next run at %s (%s)", slot.UTC().Format("2006-01-02 15:04:05 UTC"), p.Schedule)
		if err := sleepUntil(ctx, slot); err != nil {
			return err
		}
		if err := r.turn(ctx, p, slot); ended(err) {
			return err
		} else if err != nil {
			r.tell(p, "%s", err)
		}
		if err := r.Log.Prune(ctx, time.Now().Add(-r.File.Keep)); err != nil && ctx.Err() == nil {
			r.tell(p, "%s", err)
		}
		slot = p.Schedule.Next(slot, time.Now())
	}
}

// first gives the first slot after a start at now. A run that was broken off is taken up at once.
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

// turn runs a pipeline for a slot, and again if that fails for a reason that may pass. The error is that of the last run.
func (r *Runner) turn(ctx context.Context, p Pipeline, slot time.Time) (err error) {
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
		return nil // another process has run this slot meanwhile
	}
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval, waits.Multiplier = p.Wait, longestWait, 2
	waits.Reset()
	for n := 1; ; n++ {
		err := r.run(ctx, p, slot, n)
		failed, ok := errors.AsType[*failure](err)
		if !ok || !failed.passing || n >= p.Attempts {
			return err
		}
		wait := max(waits.NextBackOff(), failed.after)
		r.tell(p, "%s; attempt %d of %d follows in %s", err, n+1, p.Attempts, wait.Round(time.Second))
		if err := sleepUntil(ctx, time.Now().Add(wait)); err != nil {
			return err
		}
	}
}

func (r *Runner) tell(p Pipeline, format string, args ...any) {
	if r.Tell != nil {
		r.Tell(p.Name, fmt.Sprintf(format, args...))
	}
}

// sleepUntil waits for an instant of the clock on the wall.
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

// ended tells whether an error is that of a context.
func ended(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// process names this process for the run log.
func process() string {
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	return fmt.Sprintf("%s:%d", host, os.Getpid())
}
