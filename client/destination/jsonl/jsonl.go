package jsonl

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/stripe-connector/stripe-connector/client/internal/filelock"
)

// Destination is one folder, open for one sync. It implements client.Destination.
type Destination struct {
	folder string
	lock   *filelock.Lock
	ledger *ledger
	files  map[key]*os.File // open, at the end of what is known
	begun  map[string]bool  // streams
	buffer []byte           // used again for each commit
}

// key identifies a file.
type key struct{ stream, account string }

// Open opens the folder, and makes it if it is not there. It fails if another sync has it open.
func Open(folder string) (*Destination, error) {
	if info, err := os.Stat(folder); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%s is a file: name a folder", folder)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, explain(folder, err)
	}
	lock, err := filelock.Acquire(filepath.Join(folder, "_lock"))
	if err != nil {
		return nil, explain(folder, err)
	}
	d := &Destination{folder: folder, lock: lock, files: map[key]*os.File{}}
	if d.ledger, err = readLedger(filepath.Join(folder, "_state.json")); err != nil {
		_ = d.Close()
		return nil, explain(folder, err)
	}
	return d, nil
}

// Close closes the files and lets other syncs have the folder.
func (d *Destination) Close() error {
	return errors.Join(d.closeFiles(), d.lock.Release())
}

func (d *Destination) closeFiles() error {
	var errs []error
	for k, file := range d.files {
		errs = append(errs, file.Close())
		delete(d.files, k)
	}
	return errors.Join(errs...)
}

// path gives the file of a stream, relative to the folder. Names come from the service, so whatever could lead out of the
// folder or mean another file is escaped.
func (k key) path() string {
	name := safe(k.stream) + ".jsonl"
	if k.account == "" {
		return name
	}
	return filepath.Join(safe(k.account), name)
}

// safe escapes a name so that it is one element of a path and not one of ours, which begin with an underscore.
func safe(name string) string {
	name = url.PathEscape(name)
	name = strings.ReplaceAll(name, ":", "%3A")
	if name == "" || name[0] == '.' || name[0] == '_' {
		return "%" + name
	}
	return name
}

// explain adds to an error what it means for the user and how to mend it.
func explain(folder string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s cannot be written: check its permissions, or choose another folder: %w", folder, err)
	}
	return err
}
