// Package filelock keeps two processes from doing at the same time what only one may, such as writing to a destination.
package filelock

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/gofrs/flock" // the systems' locks, which end with the process
)

// ErrHeld is the error of a lock that another process, or this one, holds.
var ErrHeld = errors.New("another sync is writing to it; wait until it ends, or choose another destination")

// Lock is held from Acquire to Release, or until the process dies.
type Lock struct{ file *flock.Flock }

// Acquire takes the lock that the file at path stands for, without waiting. It makes the file if it isn't there.
func Acquire(path string) (*Lock, error) {
	for {
		file := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
		locked, err := file.TryLock()
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if !locked {
			return nil, errors.Join(ErrHeld, file.Close())
		}
		if isCurrent(file, path) {
			return &Lock{file}, nil
		}
		if err := file.Close(); err != nil { // its last holder removed it after we opened it
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
}

// Release releases the lock and removes its file.
func (l *Lock) Release() error {
	removed := os.Remove(l.file.Path()) // while it is still locked, so that no one holds a lock on a file that is gone
	if errors.Is(removed, os.ErrNotExist) || runtime.GOOS == "windows" {
		removed = nil // Windows removes no open file; it stays, and does no harm
	}
	return errors.Join(removed, l.file.Close())
}

// isCurrent reports whether path still leads to the file that is open.
func isCurrent(file *flock.Flock, path string) bool {
	opened, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(opened, there)
}
