package jsonl

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// keptBytes bounds the memory that is kept for the lines of a file.
const keptBytes = 1 << 20

// Commit appends the records to their files and then, in one step, notes the states and the sizes of their files. Files
// whose state does not come with them keep the size noted.
func (d *Destination) Commit(_ context.Context, c client.Commit) error {
	return explain(d.folder, d.commit(c))
}

func (d *Destination) commit(c client.Commit) error {
	for k, lines := range d.lines {
		if d.lines[k] = lines[:0]; cap(lines) > keptBytes {
			delete(d.lines, k)
		}
	}
	for _, batch := range c.Records {
		k := key{batch.GetStream(), batch.GetAccount()}
		if err := d.ready(k); err != nil {
			return err
		}
		for _, record := range batch.GetRecords() {
			var err error
			if d.lines[k], err = appendLine(d.lines[k], batch, record); err != nil {
				return err
			}
		}
	}
	covered := map[key]bool{} // by a state
	for _, completion := range c.Completed {
		k := key{completion.Stream, completion.Account}
		if err := d.ready(k); err != nil {
			return err
		}
		if e := d.ledger.find(k); completion.Generation > e.Completed {
			d.lines[k] = fmt.Appendf(d.lines[k], "{\"operation\":\"COMPLETE\",\"generation\":%d}\n", completion.Generation)
			e.Completed = completion.Generation
			covered[k] = true
		}
	}
	for _, state := range c.States {
		k := key{state.GetStream(), state.GetAccount()}
		if err := d.ready(k); err != nil {
			return err
		}
		content, err := protojson.Marshal(state.GetContent())
		if err != nil {
			return fmt.Errorf("encode the state of %s: %w", k.stream, err)
		}
		d.ledger.find(k).State = content
		covered[k] = true
	}
	if err := d.write(); err != nil {
		return err
	}
	if len(covered) == 0 {
		return nil
	}
	for k := range covered {
		if err := d.note(k); err != nil {
			return err
		}
	}
	return d.ledger.write()
}

// write appends the lines to their files.
func (d *Destination) write() error {
	for k, lines := range d.lines {
		if len(lines) == 0 {
			continue
		}
		packed, err := d.packer.pack(lines)
		if err != nil {
			return fmt.Errorf("compress lines of %s: %w", k.stream, err)
		}
		if _, err := d.files[k].Write(packed); err != nil {
			return err
		}
	}
	return nil
}

// note puts the size of a file into the ledger, after it has reached the disk, and lets another follow if it is large.
func (d *Destination) note(k key) error {
	if err := d.files[k].Sync(); err != nil {
		return err
	}
	size, err := d.files[k].Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	e := d.ledger.find(k)
	e.Size = size
	if d.rotate > 0 && size >= d.rotate {
		return d.follow(e)
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
		return nil, fmt.Errorf("record of %s has operation %s, which this version does not know: update it",
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
	// A line break in the data, which only white space can hold, would end the line.
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
