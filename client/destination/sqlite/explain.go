package sqlite

import (
	"errors"
	"fmt"
	"io/fs"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// explain adds to an error what it means for the user and how to mend it.
func explain(path string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s cannot be written: check the permissions of its folder, or choose another file: %w", path, err)
	}
	failure, ok := errors.AsType[*driver.Error](err)
	if !ok {
		return err
	}
	switch failure.Code() & 0xff { // the rest of an extended code says more than users can use
	case lib.SQLITE_NOTADB:
		return fmt.Errorf("%s is not a SQLite database: choose another file: %w", path, err)
	case lib.SQLITE_READONLY, lib.SQLITE_CANTOPEN, lib.SQLITE_PERM:
		return fmt.Errorf("%s cannot be written: check the permissions of the file and its folder: %w", path, err)
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return fmt.Errorf("another program keeps %s locked: close it and sync again: %w", path, err)
	case lib.SQLITE_FULL:
		return fmt.Errorf("there is no space left for %s: make some and sync again: %w", path, err)
	case lib.SQLITE_CORRUPT:
		return fmt.Errorf("%s is damaged: sync into another file: %w", path, err)
	}
	return err
}
