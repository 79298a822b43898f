package filelock

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// removeNeedsClose tells whether a file can only be removed once it is closed. The file stays then, and does no harm.
const removeNeedsClose = true

// tryLock locks the file, or tells that it is held.
func tryLock(file *os.File) (held bool, err error) {
	err = windows.LockFileEx(windows.Handle(file.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return true, nil
	}
	return false, err
}
