// Package filelock provides locks between processes, for example so that only one of them writes to a destination at a
// time.
package filelock

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/gofrs/flock" // file locks of the operating system, released when the process dies
)

// ErrHeld is returned by Acquire if another process, or this one, holds the lock.
var ErrHeld = errors.New("another sync is writing to it; wait until it ends, or choose another destination")

// Lock is a lock on a path. It is held from Acquire to Release, or until the process dies.
type Lock struct{ file *flock.Flock }

// Acquire takes the lock on the file at path without waiting. It creates the file if it doesn't exist.
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
		if err := file.Close(); err != nil { // its last holder removed it after it was opened
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
}

// Release releases the lock and removes its file.
func (l *Lock) Release() error {
	removed := os.Remove(l.file.Path()) // before unlocking, so that nobody holds a lock on a file that is gone
	if errors.Is(removed, os.ErrNotExist) || runtime.GOOS == "windows" {
		removed = nil // Windows doesn't remove open files; a leftover file does no harm
	}
	return errors.Join(removed, l.file.Close())
}

// isCurrent reports whether path still leads to the open file.
func isCurrent(file *flock.Flock, path string) bool {
	opened, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(opened, there)
}
