package disk_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stripe-connector/stripe-connector/client/destination/internal/disk"
)

func TestExplain(t *testing.T) {
	for errno, want := range map[error]string{
		syscall.ENOSPC: "no space left for here: free some", syscall.EROFS: "here is on a read-only file system",
		syscall.EACCES: "here can't be written: check its permissions", syscall.EMFILE: "raise the limit (ulimit -n)",
		syscall.ENAMETOOLONG: "choose a shorter one", syscall.EIO: "the disk of here failed", syscall.EDQUOT: "your disk quota",
	} {
		raw := &fs.PathError{Op: "write", Path: "here", Err: errno}
		got := disk.Explain("here", raw)
		if !strings.HasPrefix(got.Error(), want) && !strings.Contains(got.Error(), want) || !errors.Is(got, errno) {
			t.Errorf("got %q, want it with %q", got, want)
		}
		if strings.Count(got.Error(), raw.Error()) != 1 {
			t.Errorf("%q says more than once what the system said", got)
		}
	}
	if other := errors.New("other"); disk.Explain("here", other) != other { //nolint:errorlint // the same error
		t.Error("another error was changed")
	}
}

func TestKind(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{folder: "", file: "", os.DevNull: "a device"} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := disk.Kind(info.Mode()); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}
