package jsonl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/stripe-connector/stripe-connector/client"
)

// ledgerVersion is the version of the format of _state.json.
const ledgerVersion = 1

// ledger is the content of _state.json.
type ledger struct {
	path    string
	Version int      `json:"version"`
	Entries []*entry `json:"streams"`
}

// entry records the files of a stream of one account.
type entry struct {
	Stream  string          `json:"stream"`
	Account string          `json:"account,omitempty"`
	File    string          `json:"file"`            // the last file, relative to the folder
	Part    int             `json:"part,omitempty"`  // its number
	Size    int64           `json:"size"`            // of that file when the state was stored
	Tail    string          `json:"tail,omitempty"`  // a hash of the end of that file, to recognize it
	Full    []fullFile      `json:"full,omitempty"`  // the files before it
	State   json.RawMessage `json:"state,omitempty"` // absent before the first state, and after files were lost
	// Completed is the last generation that was read to its end.
	Completed int64 `json:"completed,omitempty"`
}

// fullFile is a file that is followed by another one.
type fullFile struct {
	File string `json:"file"`
	Size int64  `json:"size"`
	Tail string `json:"tail,omitempty"`
}

// readLedger reads the ledger at path. It is empty if the file doesn't exist.
func readLedger(path string) (*ledger, error) {
	l := &ledger{path: path, Version: ledgerVersion}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(content, l); err != nil {
		return nil, fmt.Errorf("%s is not a state file of this program: choose another folder: %w", path, err)
	}
	if l.Version != ledgerVersion {
		return nil, fmt.Errorf("%s has version %d, but this program supports version %d: choose another folder, or upgrade the program",
			path, l.Version, ledgerVersion)
	}
	return l, nil
}

// find returns the entry of a stream, or nil if there is none.
func (l *ledger) find(k client.StreamKey) *entry {
	i := slices.IndexFunc(l.Entries, func(e *entry) bool { return e.Stream == k.Stream && e.Account == k.Account })
	if i < 0 {
		return nil
	}
	return l.Entries[i]
}

// add adds an entry for an empty file.
func (l *ledger) add(k client.StreamKey, suffix string) *entry {
	e := &entry{Stream: k.Stream, Account: k.Account, File: pathOf(k, 0, suffix)}
	l.Entries = append(l.Entries, e)
	return e
}

// write replaces the file atomically, so that it is complete whenever the process dies.
func (l *ledger) write() error {
	content, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	next := l.path + ".next"
	if err := writeSynced(next, append(content, '\n')); err != nil {
		return err
	}
	if err := os.Rename(next, l.path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(l.path))
}

func writeSynced(path string, content []byte) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // never follow a link
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// syncFolder flushes the names in a folder to disk. Windows has no such call and needs none.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
