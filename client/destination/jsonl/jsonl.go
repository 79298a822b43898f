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

// Options are those of the files. The zero value works.
type Options struct {
	// Compression is that of the files. Files of another compression that are there stay, and new ones follow them.
	Compression Compression
	// Rotate is the size in bytes at which, at the next state, a file is followed by another. Zero means never.
	Rotate int64
}

// Destination is one folder, open for one sync. It implements client.Destination.
type Destination struct {
	folder string
	rotate int64
	suffix string // of the names of files, for their compression
	packer packer
	lock   *filelock.Lock
	ledger *ledger
	files  map[key]*os.File // open, at the end of what is known
	begun  map[string]bool  // streams
	lines  map[key][]byte   // of the commit under way; their memory is used again
}

// key identifies a file.
type key struct{ stream, account string }

// Open opens the folder, and makes it if it is not there. It fails if another sync has it open.
func Open(folder string, opts Options) (*Destination, error) {
	suffix, err := opts.Compression.suffix()
	if err != nil {
		return nil, err
	}
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
	d := &Destination{
		folder: folder, rotate: opts.Rotate, suffix: suffix, packer: packer{compression: opts.Compression},
		lock: lock, files: map[key]*os.File{}, lines: map[key][]byte{},
	}
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

// path gives a file of a stream, relative to the folder. Names come from the service, so whatever could lead out of the
// folder or mean another file is escaped.
func (k key) path(part int, suffix string) string {
	name := safe(k.stream)
	if part > 0 {
		name += fmt.Sprintf(".%04d", part)
	}
	name += ".jsonl" + suffix
	if k.account == "" {
		return name
	}
	return filepath.Join(safe(k.account), name)
}

// safe escapes a name so that it is one element of a path and not one of ours, which begin with an underscore.
func safe(name string) string {
	name = url.PathEscape(name)
	name = strings.NewReplacer(":", "%3A", ".", "%2E").Replace(name) // dots set parts apart
	if name == "" || name[0] == '_' {
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
