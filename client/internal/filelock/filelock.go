// Package filelock keeps two processes from doing at once what only one may, such as writing to a destination.
package filelock

import (
	"errors"
	"fmt"
	"os"
)

// ErrHeld is the error of a lock that another process, or this one, holds.
var ErrHeld = errors.New("another sync is writing to it; wait until it ends, or choose another destination")

// Lock is held from Acquire to Release, or until the process dies.
type Lock struct{ file *os.File }

// Acquire takes the lock that the file at path stands for, without waiting. The file is made if it is not there.
func Acquire(path string) (*Lock, error) {
	for {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		held, err := tryLock(file)
		if err != nil || held {
			_ = file.Close()
			if held {
				return nil, ErrHeld
			}
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if current(file, path) {
			return &Lock{file}, nil
		}
		_ = file.Close() // its last holder removed it between our opening and our locking
	}
}

// Release gives the lock back and removes its file.
func (l *Lock) Release() error {
	removed := os.Remove(l.file.Name()) // while it is still locked, so that no one holds a lock on a file that is gone
	if errors.Is(removed, os.ErrNotExist) || removeNeedsClose {
		removed = nil
	}
	return errors.Join(removed, l.file.Close())
}

// current tells whether path still leads to the file that is open.
func current(file *os.File, path string) bool {
	opened, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(opened, there)
}
