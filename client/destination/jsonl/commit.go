package jsonl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// chunkBytes is the size at which lines collected for a file are written. It bounds the memory they use.
const chunkBytes = 1 << 20

// Commit appends the records to their files, then records the states and the sizes of their files in one step. For files
// without a state in this commit, the recorded size stays the same.
func (d *Destination) Commit(_ context.Context, c client.Commit) error {
	before := maps.Clone(d.sizes)
	err := d.commit(c)
	if err != nil {
		d.undo(before)
	}
	return explain(d.folder, err)
}

// undo removes what a failed commit wrote. It is best effort: Begin removes the rest.
func (d *Destination) undo(before map[client.StreamKey]int64) {
	for k := range d.dirty {
		e := d.ledger.find(k)
		if e == nil {
			continue
		}
		if path := filepath.Join(d.folder, e.File); before[k] > 0 {
			_ = os.Truncate(path, before[k])
		} else {
			_ = os.Remove(path)
		}
	}
	d.sizes = before
}

func (d *Destination) commit(c client.Commit) error {
	for k, lines := range d.lines {
		d.lines[k] = lines[:0]
	}
	if err := d.prepare(c); err != nil {
		return err
	}
	for _, batch := range c.Records {
		k := client.StreamKey{Stream: batch.GetStream(), Account: batch.GetAccount()}
		for _, record := range batch.GetRecords() {
			var err error
			if d.lines[k], err = appendLine(d.lines[k], batch, record); err != nil {
				return err
			}
			if len(d.lines[k]) < chunkBytes {
				continue
			}
			if err := d.write(k, d.lines[k]); err != nil {
				return err
			}
			d.lines[k] = d.lines[k][:0]
		}
	}
	covered := map[client.StreamKey]bool{} // by a state
	for _, completion := range c.Completed {
		k := client.StreamKey{Stream: completion.Stream, Account: completion.Account}
		if e := d.ledger.find(k); completion.Generation > e.Completed {
			d.lines[k] = fmt.Appendf(d.lines[k], "{\"operation\":\"COMPLETE\",\"generation\":%d}\n", completion.Generation)
			e.Completed = completion.Generation
			covered[k] = true
		}
	}
	for _, state := range c.States {
		k := client.StreamKey{Stream: state.GetStream(), Account: state.GetAccount()}
		content, err := protojson.Marshal(state.GetContent())
		if err != nil {
			return fmt.Errorf("encode the state of %s: %w", k.Stream, err)
		}
		d.ledger.find(k).State = content
		covered[k] = true
	}
	for k, lines := range d.lines {
		if len(lines) > 0 {
			if err := d.write(k, lines); err != nil {
				return err
			}
		}
	}
	if len(covered) == 0 {
		return nil
	}
	if err := d.flush(covered); err != nil {
		return err
	}
	return d.ledger.write()
}

// prepare adds every file that the commit writes to to the ledger, and writes the ledger if it changed.
func (d *Destination) prepare(c client.Commit) error {
	keys := map[client.StreamKey]bool{}
	for _, batch := range c.Records {
		keys[client.StreamKey{Stream: batch.GetStream(), Account: batch.GetAccount()}] = true
	}
	for _, completion := range c.Completed {
		keys[client.StreamKey{Stream: completion.Stream, Account: completion.Account}] = true
	}
	for _, state := range c.States {
		keys[client.StreamKey{Stream: state.GetStream(), Account: state.GetAccount()}] = true
	}
	changed := false
	for k := range keys {
		added, err := d.ensureEntry(k)
		if err != nil {
			return err
		}
		changed = changed || added
	}
	if !changed {
		return nil
	}
	return d.ledger.write()
}

// write appends lines to the last file of k.
func (d *Destination) write(k client.StreamKey, lines []byte) error {
	packed, err := d.packer.pack(lines)
	if err != nil {
		return fmt.Errorf("compress lines of %s: %w", k.Stream, err)
	}
	file, err := d.open(k)
	if err != nil {
		return err
	}
	d.dirty[k] = true
	n, err := file.WriteAt(packed, d.sizes[k])
	d.sizes[k] += int64(n)
	return errors.Join(err, file.Close())
}

// open opens the last file of k. It returns an interruption if the file's size has changed since the last write.
func (d *Destination) open(k client.StreamKey) (*os.File, error) {
	name := d.ledger.find(k).File
	path := filepath.Join(d.folder, name)
	flags := os.O_RDWR
	if d.sizes[k] == 0 {
		flags |= os.O_CREATE
	}
	file, err := d.root.OpenFile(name, flags, 0o600)
	if errors.Is(err, fs.ErrNotExist) && d.sizes[k] > 0 {
		return nil, &client.Interruption{Err: fmt.Errorf("file %s is gone: something else removed it during the sync", path)}
	}
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && info.Size() != d.sizes[k] {
		err = &client.Interruption{Err: fmt.Errorf("file %s has %d bytes instead of %d: something else changed it during the sync",
			path, info.Size(), d.sizes[k])}
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// maxFlushes is the number of files flushed to disk at once.
const maxFlushes = 8

// flush flushes files to disk, then enters their sizes in the ledger. Files that have reached the rotation size are
// followed by new ones.
func (d *Destination) flush(covered map[client.StreamKey]bool) error {
	var all errgroup.Group
	all.SetLimit(maxFlushes)
	for k := range covered {
		if !d.dirty[k] {
			continue
		}
		file, err := d.open(k)
		if err != nil {
			_ = all.Wait()
			return err
		}
		e, size := d.ledger.find(k), d.sizes[k]
		all.Go(func() (err error) {
			defer func() { err = errors.Join(err, file.Close()) }()
			if err := file.Sync(); err != nil {
				return err
			}
			e.Size = size
			e.Tail, err = tailOf(file, size)
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return err
	}
	for k := range covered {
		delete(d.dirty, k)
		if e := d.ledger.find(k); d.rotate > 0 && e.Size >= d.rotate {
			if err := d.startFile(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// appendLine appends a record as one line.
func appendLine(b []byte, batch *connectorv1.RecordBatch, record *connectorv1.Record) ([]byte, error) {
	b = append(b, `{"operation":`...)
	switch record.GetOperation() {
	case connectorv1.Operation_OPERATION_UPSERT:
		b = append(b, `"UPSERT"`...)
	case connectorv1.Operation_OPERATION_DELETE:
		b = append(b, `"DELETE"`...)
	case connectorv1.Operation_OPERATION_DELETE_MATCHING:
		b = append(b, `"DELETE_MATCHING"`...)
	default:
		return nil, fmt.Errorf("record of %s has operation %s, which this version doesn't support: upgrade this program",
			batch.GetStream(), record.GetOperation())
	}
	if at := record.GetAsOf(); at != nil {
		b = append(b, `,"as_of":"`...)
		b = at.AsTime().AppendFormat(b, time.RFC3339Nano)
		b = append(b, '"')
	}
	if id := record.GetEventId(); id != "" {
		b, _ = jsontext.AppendQuote(append(b, `,"event_id":`...), id)
	}
	if g := batch.GetGeneration(); g != 0 {
		b = strconv.AppendInt(append(b, `,"generation":`...), g, 10)
	}
	b = append(b, `,"data":`...)
	start := len(b)
	b = append(b, record.GetData()...)
	// Line breaks in the data, which can only be white space between tokens, would end the line.
	data := jsontext.Value(b[start:])
	if data.Kind() != '{' {
		return nil, fmt.Errorf("record of %s is not a JSON object: this is a bug in the service, please report it",
			batch.GetStream())
	}
	if err := data.Compact(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return nil, fmt.Errorf("record of %s is not a JSON object: %w", batch.GetStream(), err)
	}
	if record.GetOperation() == connectorv1.Operation_OPERATION_DELETE_MATCHING && len(data) == len("{}") {
		return nil, fmt.Errorf("record of %s has operation DELETE_MATCHING and no field to match, which would remove all rows: "+
			"this is a bug in the service, please report it", batch.GetStream())
	}
	return append(append(b[:start], data...), "}\n"...), nil
}
