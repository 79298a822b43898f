package jsonl

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/internal/disk"
	"github.com/stripe-connector/stripe-connector/client/internal/filelock"
)

// Check reports whether a sync could write to the directory, and whether the files of its states exist. It doesn't create
// the directory.
func Check(ctx context.Context, folder string, opts Options) ([]client.Finding, error) {
	var findings []client.Finding
	found := func(subject string, err error) bool {
		f := client.Finding{Subject: subject, Verdict: client.FindingOK}
		if err != nil {
			f.Verdict, f.Message = client.FindingProblem, explain(folder, err).Error()
		}
		findings = append(findings, f)
		return err == nil
	}
	_, err := opts.Compression.suffix()
	if !found("parse the options", err) || !found("check the path", checkFolder(folder)) {
		return findings, ctx.Err()
	}
	if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
		parent := filepath.Dir(folder)
		for !pathExists(parent) && parent != filepath.Dir(parent) {
			parent = filepath.Dir(parent)
		}
		if found("write to folder "+parent, disk.Writable(parent)) {
			findings = append(findings, client.Finding{Subject: folder, Verdict: client.FindingNote, Message: "it doesn't exist yet: the first sync creates it"})
		}
		return findings, ctx.Err()
	}
	if !found("write to folder "+folder, disk.Writable(folder)) {
		return findings, ctx.Err()
	}
	lock, err := filelock.Acquire(filepath.Join(folder, "_lock"))
	if !found("lock "+folder, err) {
		return findings, ctx.Err()
	}
	defer func() { _ = lock.Release() }()
	l, err := readLedger(filepath.Join(folder, "_state.json"))
	if !found("read the states", err) {
		return findings, ctx.Err()
	}
	for _, e := range l.Entries {
		for _, f := range append(e.Full, fullFile{File: e.File, Size: e.Size}) {
			info, err := os.Stat(filepath.Join(folder, f.File))
			if f.Size > 0 && (err != nil || info.Size() < f.Size) {
				findings = append(findings, client.Finding{Subject: "file " + f.File, Verdict: client.FindingNote,
					Message: "it is missing or shorter than the last sync left it: stream " + e.Stream + " will be re-read from the beginning"})
			}
		}
	}
	return findings, ctx.Err()
}

func pathExists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
