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
)

// ledgerVersion is that of the form of _state.json.
const ledgerVersion = 1

// ledger is what _state.json holds.
type ledger struct {
	path    string
	Version int      `json:"version"`
	Entries []*entry `json:"streams"`
}

// entry records the files of a stream of an account.
type entry struct {
	Stream  string          `json:"stream"`
	Account string          `json:"account,omitempty"`
	File    string          `json:"file"`            // the last one, relative to the folder
	Part    int             `json:"part,omitempty"`  // its number
	Size    int64           `json:"size"`            // of that file when the state was stored
	Tail    string          `json:"tail,omitempty"`  // a hash of the last bytes of that: by which the file is known again
	Full    []full          `json:"full,omitempty"`  // the files before it
	State   json.RawMessage `json:"state,omitempty"` // absent before the first, and after files were lost
	// Completed is the last generation that was read to its end.
	Completed int64 `json:"completed,omitempty"`
}

// full is a file that another one follows.
type full struct {
	File string `json:"file"`
	Size int64  `json:"size"`
	Tail string `json:"tail,omitempty"`
}

// readLedger reads the file at path; there is nothing known if there is no file.
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
		return nil, fmt.Errorf("%s has version %d and this program knows version %d: choose another folder, or update it",
			path, l.Version, ledgerVersion)
	}
	return l, nil
}

// find returns the entry of a stream; nil if there is none.
func (l *ledger) find(k key) *entry {
	i := slices.IndexFunc(l.Entries, func(e *entry) bool { return e.Stream == k.stream && e.Account == k.account })
	if i < 0 {
		return nil
	}
	return l.Entries[i]
}

// add makes an entry of a file that holds nothing yet.
func (l *ledger) add(k key, suffix string) *entry {
	e := &entry{Stream: k.stream, Account: k.account, File: k.path(0, suffix)}
	l.Entries = append(l.Entries, e)
	return e
}

// write replaces the file in one step, so that whenever the process dies there is a whole one.
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
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // never through a link
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// syncFolder has the names in a folder reach the disk. Windows has no such call and needs none.
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
