package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stripe-connector/stripe-connector/client/internal/filelock"
	"github.com/stripe-connector/stripe-connector/client/runlog"
)

// errHeld is returned for a pipeline that another process is running.
var errHeld = errors.New("skipped, because another process is running it: `stripe-connector runs` shows its progress")

// lockWait is how long to wait for a lock. A run holds the lock for much longer, [File.Reap] for a much shorter time.
const lockWait = time.Second

// lockPath returns the path of a pipeline's lock file.
func (f *File) lockPath(pipeline string) string { return f.RunLog + "." + pipeline + ".lock" }

// lock acquires the lock of a pipeline. The operating system releases it when the process dies.
func (f *File) lock(ctx context.Context, pipeline string) (*filelock.Lock, error) {
	for end := time.Now().Add(lockWait); ; {
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
		if err := sleepUntil(ctx, time.Now().Add(lockWait/10)); err != nil {
			return nil, err
		}
	}
}

// Reap marks runs whose process died as lost. Call it before showing the log.
func (f *File) Reap(ctx context.Context, log *runlog.Store) error {
	runs, err := log.Runs(ctx, runlog.Filter{Status: runlog.Running})
	if err != nil {
		return err
	}
	for _, run := range runs {
		lock, err := filelock.Acquire(f.lockPath(run.Pipeline))
		if errors.Is(err, filelock.ErrHeld) {
			continue // its process is still running
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
