package jsonl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Begin takes away what the files of the streams hold beyond their states, and gives the states.
func (d *Destination) Begin(_ context.Context, streams []*connectorv1.Stream) (begun client.Beginning, err error) {
	if err := d.closeFiles(); err != nil {
		return begun, err
	}
	d.begun = map[string]bool{}
	for _, stream := range streams {
		d.begun[stream.GetName()] = true
		for _, e := range d.ledger.Entries {
			if e.Stream != stream.GetName() {
				continue
			}
			if err := d.goOn(e); err != nil {
				return begun, explain(d.folder, err)
			}
			if e.State == nil {
				continue
			}
			state := &connectorv1.StreamState{Stream: e.Stream, Account: e.Account, Content: &structpb.Struct{}}
			if err := protojson.Unmarshal(e.State, state.GetContent()); err != nil {
				return begun, fmt.Errorf("state of %s in %s is not a JSON object: choose another folder", e.Stream, d.ledger.path)
			}
			begun.States = append(begun.States, state)
		}
	}
	return begun, nil
}

// open opens a file that the ledger knows, at the size noted there.
func (d *Destination) open(e *entry) error {
	k := key{e.Stream, e.Account}
	path := filepath.Join(d.folder, e.File)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	d.files[k] = file
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < e.Size {
		return fmt.Errorf("%s has %d bytes and its state covers %d: something else changed it; "+
			"put it back, or sync into another folder", path, info.Size(), e.Size)
	}
	if err := file.Truncate(e.Size); err != nil {
		return err
	}
	_, err = file.Seek(e.Size, io.SeekStart)
	return err
}

// goOn opens the last file of a stream, or has another follow it if that is of another compression.
func (d *Destination) goOn(e *entry) error {
	if err := d.open(e); err != nil {
		return err
	}
	if strings.HasSuffix(e.File, ".jsonl"+d.suffix) {
		return nil
	}
	if err := d.follow(e); err != nil {
		return err
	}
	return d.ledger.write()
}

// follow has another file follow that of an entry, once the ledger is written: it is noted there before its first line, so
// that a file which is not ours is never mistaken for one and cut.
func (d *Destination) follow(e *entry) error {
	k := key{e.Stream, e.Account}
	file := k.path(e.Part+1, d.suffix)
	if err := d.vacant(file); err != nil {
		return err
	}
	e.File, e.Part, e.Size = file, e.Part+1, 0
	last := d.files[k]
	delete(d.files, k)
	return last.Close()
}

// ready opens the file that lines of k go to.
func (d *Destination) ready(k key) error {
	if d.files[k] != nil {
		return nil
	}
	if !d.begun[k.stream] {
		return fmt.Errorf("the service sent records of %q, which was not asked for: this is a bug, please report it", k.stream)
	}
	if e := d.ledger.find(k); e != nil {
		return d.open(e)
	}
	if err := d.vacant(k.path(0, d.suffix)); err != nil {
		return err
	}
	e := d.ledger.add(k, d.suffix)
	if err := os.MkdirAll(filepath.Dir(filepath.Join(d.folder, e.File)), 0o755); err != nil {
		return err
	}
	return errors.Join(d.ledger.write(), d.open(e))
}

// vacant refuses a place where there is a file already.
func (d *Destination) vacant(file string) error {
	path := filepath.Join(d.folder, file)
	if info, err := os.Stat(path); err == nil && info.Size() > 0 {
		return fmt.Errorf("%s is there and was not written by a sync: move it away, or choose another folder", path)
	}
	return nil
}
