package jsonl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Begin truncates the files of the streams to the sizes recorded with their states, and returns the states. If a stream's
// files aren't those that its state was stored with, it has no state and continues in a new file.
func (d *Destination) Begin(_ context.Context, streams []*connectorv1.Stream) (begun client.BeginResult, err error) {
	if d.ledger, err = readLedger(d.ledger.path); err != nil { // discard what a failed commit changed in memory
		return begun, explain(d.folder, err)
	}
	d.begun, d.sizes, d.dirty = map[string]bool{}, map[client.StreamKey]int64{}, map[client.StreamKey]bool{}
	for _, stream := range streams {
		d.begun[stream.GetName()] = true
		noticed := false
		for _, e := range d.ledger.Entries {
			if e.Stream != stream.GetName() {
				continue
			}
			reason, err := d.resume(e)
			if err != nil {
				return begun, explain(d.folder, err)
			}
			if reason != "" && !noticed {
				noticed = true
				begun.Notices = append(begun.Notices, client.Notice{Stream: e.Stream, Message: reason})
			}
			if e.State == nil {
				continue
			}
			state := &connectorv1.StreamState{Stream: e.Stream, Account: e.Account, Content: &structpb.Struct{}}
			if err := protojson.Unmarshal(e.State, state.GetContent()); err != nil {
				return begun, fmt.Errorf("state of %s in %s is not a JSON object: remove its \"state\" to re-read the stream, "+
					"or choose another folder", e.Stream, d.ledger.path)
			}
			begun.States = append(begun.States, state)
		}
	}
	return begun, nil
}

// resume truncates the last file of a stream to the size its state says. If files were lost, it returns a sentence for the
// user.
func (d *Destination) resume(e *entry) (reason string, err error) {
	reason, err = d.lost(e)
	if err != nil {
		return "", err
	}
	if reason != "" {
		e.State, reason = nil, reason+" The stream will be re-read from the beginning."
		if err := d.ledger.write(); err != nil {
			return "", err
		}
	}
	d.sizes[client.StreamKey{Stream: e.Stream, Account: e.Account}] = e.Size
	err = d.truncate(e.File, e.Size)
	if err != nil && (!os.IsNotExist(err) || e.Size > 0) {
		return "", err
	}
	if strings.HasSuffix(e.File, ".jsonl"+d.suffix) {
		return reason, nil
	}
	if err := d.startFile(e); err != nil { // it has another compression
		return "", err
	}
	return reason, d.ledger.write()
}

func (d *Destination) truncate(name string, size int64) error {
	file, err := d.root.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Truncate(size), file.Close())
}

// startFile starts a new file after the last one of an entry. The caller writes the ledger before the first line goes to the
// file, so that a file from elsewhere is never mistaken for one of the sync's and truncated.
func (d *Destination) startFile(e *entry) error {
	e.Full = append(e.Full, fullFile{e.File, e.Size, e.Tail})
	return d.nextFile(e)
}

// nextFile moves an entry on to its next file.
func (d *Destination) nextFile(e *entry) error {
	k := client.StreamKey{Stream: e.Stream, Account: e.Account}
	e.Part++
	e.File, e.Size, e.Tail = pathOf(k, e.Part, d.suffix), 0, ""
	d.sizes[k] = 0
	return d.checkVacant(e.File)
}

// ensureEntry adds an entry for the files of k unless the ledger has one, and reports whether it did.
func (d *Destination) ensureEntry(k client.StreamKey) (added bool, err error) {
	if !d.begun[k.Stream] {
		return false, fmt.Errorf("the service sent records of %q, which was not requested: this is a bug, please report it", k.Stream)
	}
	if d.ledger.find(k) != nil {
		return false, nil
	}
	if err := d.checkVacant(pathOf(k, 0, d.suffix)); err != nil {
		return false, err
	}
	e := d.ledger.add(k, d.suffix)
	return true, d.root.MkdirAll(filepath.Dir(e.File), 0o700)
}

// checkVacant returns an error if a file with content exists already.
func (d *Destination) checkVacant(file string) error {
	path := filepath.Join(d.folder, file)
	if info, err := d.root.Stat(file); err == nil && info.Size() > 0 {
		return fmt.Errorf("%s exists and was not written by a sync: move it away, or choose another folder", path)
	}
	return nil
}
