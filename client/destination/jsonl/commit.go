package jsonl

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Commit appends the records to their files and then, in one step, notes the states and the sizes of their files. Files
// whose state does not come with them keep the size noted.
func (d *Destination) Commit(_ context.Context, c client.Commit) error {
	for _, batch := range c.Records {
		if err := d.write(batch); err != nil {
			return explain(d.folder, err)
		}
	}
	for _, state := range c.States {
		if err := d.note(state); err != nil {
			return explain(d.folder, err)
		}
	}
	if len(c.States) == 0 {
		return nil
	}
	return explain(d.folder, d.ledger.write())
}

// write appends the records of a batch to their file.
func (d *Destination) write(batch *connectorv1.RecordBatch) error {
	k := key{batch.GetStream(), batch.GetAccount()}
	if d.files[k] == nil {
		if err := d.begin(k); err != nil {
			return err
		}
	}
	d.buffer = d.buffer[:0]
	for _, record := range batch.GetRecords() {
		var err error
		if d.buffer, err = appendLine(d.buffer, batch, record); err != nil {
			return err
		}
	}
	_, err := d.files[k].Write(d.buffer)
	return err
}

// note puts a state and the size of its file into the ledger, after the file has reached the disk.
func (d *Destination) note(state *connectorv1.StreamState) error {
	k := key{state.GetStream(), state.GetAccount()}
	if d.files[k] == nil {
		if err := d.begin(k); err != nil {
			return err
		}
	}
	content, err := protojson.Marshal(state.GetState())
	if err != nil {
		return fmt.Errorf("encode the state of %s: %w", k.stream, err)
	}
	if err := d.files[k].Sync(); err != nil {
		return err
	}
	e := d.ledger.find(k)
	e.State = json.RawMessage(content)
	e.Size, err = d.files[k].Seek(0, io.SeekCurrent)
	return err
}

// appendLine appends a record as one line.
func appendLine(b []byte, batch *connectorv1.RecordBatch, record *connectorv1.Record) ([]byte, error) {
	b = append(b, `{"operation":`...)
	switch record.GetOperation() {
	case connectorv1.Operation_OPERATION_UPSERT:
		b = append(b, `"UPSERT"`...)
	case connectorv1.Operation_OPERATION_DELETE:
		b = append(b, `"DELETE"`...)
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
	return append(append(b[:start], data...), "}\n"...), nil
}
