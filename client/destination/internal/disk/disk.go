// Package disk explains in plain words why a file can't be used.
package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Explain adds to an error of the file system what it means and how to fix it. Path is the file or folder it happened at.
// Other errors are returned unchanged.
func Explain(path string, err error) error {
	for _, cause := range []struct {
		errno  error
		advice string
	}{
		{syscall.ENOSPC, "no space left for %s: free some space, then sync again"},
		{syscall.EDQUOT, "your disk quota leaves no space for %s: free some space, then sync again"},
		{syscall.EROFS, "%s is on a read-only file system: choose a writable location"},
		{syscall.ENAMETOOLONG, "the name of %s is too long for its file system: choose a shorter one"},
		{syscall.EMFILE, "too many open files, so %s can't be opened: raise the limit (ulimit -n), then sync again"},
		{syscall.ENFILE, "too many open files, so %s can't be opened: close other programs, then sync again"},
		{syscall.EIO, "the disk of %s failed to read or write: check the disk, or choose another location"},
		{syscall.ENOTDIR, "part of the path %s is a file, not a folder: choose another location"},
		{fs.ErrPermission, "%s can't be written: check its permissions and those of its folder, or choose another location"},
	} {
		if errors.Is(err, cause.errno) {
			return fmt.Errorf(cause.advice+": %w", path, err)
		}
	}
	return err
}

// Writable returns an error if no file can be created in the folder. It leaves no file behind.
func Writable(folder string) error {
	file, err := os.CreateTemp(folder, ".check-*")
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// Kind returns the name of a special file's type, such as a device, or "" for regular files and folders.
func Kind(mode fs.FileMode) string {
	switch {
	case mode.IsRegular(), mode.IsDir():
		return ""
	case mode&fs.ModeDevice != 0:
		return "a device"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "not a regular file"
}
