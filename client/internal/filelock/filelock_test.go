package filelock_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stripe-connector/stripe-connector/client/internal/filelock"
)

// TestOneHolds acquires the lock repeatedly from many goroutines. No two may hold it at once, and in the end its file is
// gone.
func TestOneHolds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var all sync.WaitGroup
	var holders, taken atomic.Int32
	for range 8 {
		all.Go(func() {
			for range 200 {
				lock, err := filelock.Acquire(path)
				if errors.Is(err, filelock.ErrHeld) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if holders.Add(1) != 1 {
					t.Error("two hold the lock")
				}
				taken.Add(1)
				holders.Add(-1)
				if err := lock.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if taken.Load() == 0 {
		t.Error("nobody got the lock")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
	if _, err := filelock.Acquire(filepath.Join(path, "nowhere")); err == nil || errors.Is(err, filelock.ErrHeld) {
		t.Errorf("got %v of a folder that is not there", err)
	}
}
