package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stripe-connector/stripe-connector/client/internal/filelock"
	"github.com/stripe-connector/stripe-connector/client/runlog"
)

// errHeld is the error of a pipeline that another process is running.
var errHeld = errors.New("another process is running it, so this one leaves it alone: `stripe-connector runs` shows how far it is")

// patience is how long a lock is waited for. Whoever runs a pipeline holds it much longer; whoever only looks, by [File.Reap],
// much shorter.
const patience = time.Second

// lockPath names the file that stands for the run of a pipeline.
func (f *File) lockPath(pipeline string) string { return f.RunLog + "." + pipeline + ".lock" }

// lock takes the lock of a pipeline. The system gives it back when the process dies, however it dies.
func (f *File) lock(ctx context.Context, pipeline string) (*filelock.Lock, error) {
	for end := time.Now().Add(patience); ; {
		lock, err := filelock.Acquire(f.lockPath(pipeline))
		if err == nil {
			return lock, nil
		}
		if !errors.Is(err, filelock.ErrHeld) {
			return nil, fmt.Errorf("lock the pipeline: %w", err)
		}
		if !time.Now().Before(end) {
			return nil, errHeld
		}
		if err := sleepUntil(ctx, time.Now().Add(patience/10)); err != nil {
			return nil, err
		}
	}
}

// Reap marks the runs in the log as lost whose process died, for those who look at the log while nothing runs.
func (f *File) Reap(ctx context.Context, log *runlog.Store) error {
	runs, err := log.Runs(ctx, runlog.Filter{Status: runlog.Running})
	if err != nil {
		return err
	}
	for _, run := range runs {
		lock, err := filelock.Acquire(f.lockPath(run.Pipeline))
		if errors.Is(err, filelock.ErrHeld) {
			continue // it is alive
		}
		if err != nil {
			return fmt.Errorf("lock the pipeline: %w", err)
		}
		if err := errors.Join(log.MarkLost(ctx, run.Pipeline), lock.Release()); err != nil {
			return err
		}
	}
	return nil
}
