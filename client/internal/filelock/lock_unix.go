//go:build !windows

package filelock

import (
	"errors"
	"os"
	"syscall"
)

// removeNeedsClose tells whether a file can only be removed once it is closed.
const removeNeedsClose = false

// tryLock locks the file, or tells that it is held.
func tryLock(file *os.File) (held bool, err error) {
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}
