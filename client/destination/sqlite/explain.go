package sqlite

import (
	"errors"
	"fmt"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/stripe-connector/stripe-connector/client/destination/internal/disk"
)

// explain adds to an error what it means and how to fix it.
func explain(path string, err error) error {
	failure, ok := errors.AsType[*driver.Error](err)
	if !ok {
		return disk.Explain(path, err)
	}
	const full = "no space left for %s: free some space, then sync again: %w"
	if failure.Code() == lib.SQLITE_IOERR_SHMSIZE { // the log's shared-memory index can't grow
		return fmt.Errorf(full, path, err)
	}
	switch failure.Code() & 0xff { // the primary result code; extended codes are too detailed for users
	case lib.SQLITE_NOTADB:
		return fmt.Errorf("%s is not a SQLite database: choose another file: %w", path, err)
	case lib.SQLITE_READONLY, lib.SQLITE_CANTOPEN, lib.SQLITE_PERM:
		return fmt.Errorf("%s cannot be written: check the permissions of the file and its folder, and that the disk is not mounted "+
			"read-only: %w", path, err)
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return fmt.Errorf("another program keeps %s locked: close it and sync again: %w", path, err)
	case lib.SQLITE_FULL:
		return fmt.Errorf(full, path, err)
	case lib.SQLITE_IOERR:
		return fmt.Errorf("%s cannot be read or written: check that its disk has space left and works: %w", path, err)
	case lib.SQLITE_CORRUPT:
		return fmt.Errorf("%s is damaged: sync into another file: %w", path, err)
	case lib.SQLITE_NOMEM:
		return fmt.Errorf("out of memory while writing to %s: give the process more: %w", path, err)
	}
	return err
}
