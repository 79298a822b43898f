package jsonl

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/internal/disk"
	"github.com/stripe-connector/stripe-connector/client/internal/filelock"
)

// Options configure the files. The zero value works.
type Options struct {
	// Compression is the compression of new files. Existing files with another compression stay, and new ones follow them.
	Compression Compression
	// Rotate is the size in bytes at which a new file is started, at the next state. Zero means never.
	Rotate int64
}

// Destination is a directory opened for one sync. It implements client.Destination.
type Destination struct {
	folder string
	root   *os.Root // of folder; symbolic links can't lead out of it
	rotate int64
	suffix string // of file names, for the compression
	packer packer
	lock   *filelock.Lock
	ledger *ledger
	begun  map[string]bool             // the streams passed to Begin
	sizes  map[client.StreamKey]int64  // of the last files, including lines that no state covers
	dirty  map[client.StreamKey]bool   // whether the file has more than the ledger records
	lines  map[client.StreamKey][]byte // of the current commit; their memory is reused
}

// Open opens the directory, creating it if it doesn't exist. It fails if another sync has it open.
func Open(folder string, opts Options) (*Destination, error) {
	suffix, err := opts.Compression.suffix()
	if err != nil {
		return nil, err
	}
	if err := checkFolder(folder); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, explain(folder, err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, explain(folder, err)
	}
	lock, err := filelock.Acquire(filepath.Join(folder, "_lock"))
	if err != nil {
		_ = root.Close()
		return nil, explain(folder, err)
	}
	d := &Destination{
		folder: folder, root: root, rotate: opts.Rotate, suffix: suffix, packer: packer{compression: opts.Compression},
		lock: lock, lines: map[client.StreamKey][]byte{},
	}
	if d.ledger, err = readLedger(filepath.Join(folder, "_state.json")); err != nil {
		_ = d.Close()
		return nil, explain(folder, err)
	}
	return d, nil
}

// checkFolder returns an error if the path exists and is not a folder.
func checkFolder(folder string) error {
	if info, err := os.Stat(folder); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is %s: choose a folder", folder, cmp.Or(disk.Kind(info.Mode()), "a file"))
	}
	return nil
}

// Close releases the directory for other syncs. No file stays open between commits, so there can be any number of streams.
func (d *Destination) Close() error { return errors.Join(d.lock.Release(), d.root.Close()) }

// pathOf returns the path of a stream's file, relative to the folder. Names come from the service, so characters that could
// lead out of the folder or to another file are escaped. The files of a stream sort in the order of writing: "part" sorts
// after "jsonl".
func pathOf(k client.StreamKey, part int, suffix string) string {
	name := escapeName(k.Stream)
	if part > 0 {
		name += fmt.Sprintf(".part%09d", part)
	}
	name += ".jsonl" + suffix
	if k.Account == "" {
		return name
	}
	return filepath.Join(escapeName(k.Account), name)
}

// escapeName escapes a name so that it is a single path element that doesn't begin with an underscore, like the sync's own
// files.
func escapeName(name string) string {
	name = url.PathEscape(name)
	name = strings.NewReplacer(":", "%3A", ".", "%2E").Replace(name) // dots separate the part number
	if name == "" || name[0] == '_' {
		return "%" + name
	}
	return name
}

// explain adds to an error what it means and how to fix it.
func explain(folder string, err error) error {
	if _, interrupted := errors.AsType[*client.Interruption](err); interrupted {
		return err
	}
	return disk.Explain(folder, err)
}
