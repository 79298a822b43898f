package conformance

import (
	"context"
	"encoding/json"
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

// row is a stored row.
type row struct {
	Data       string
	Generation int64
}

// store is a client's database: one file.
type store struct {
	folder string
	keys   map[string][]string // the primary keys, by stream
	States map[string]json.RawMessage
	Rows   map[string]map[string]row
}

func openStore(folder string) (*store, error) {
	s := &store{folder: folder, keys: map[string][]string{}, States: map[string]json.RawMessage{}, Rows: map[string]map[string]row{}}
	content, err := os.ReadFile(filepath.Join(folder, "store.json"))
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(content, s)
	}
	return s, err
}

// save stores rows and states together.
func (s *store) save() error {
	content, err := json.Marshal(s)
	if err != nil {
		return err
	}
	temporary := filepath.Join(s.folder, "store.tmp")
	if err := os.WriteFile(temporary, content, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, filepath.Join(s.folder, "store.json"))
}

// export writes the rows for the comparison.
func (s *store) export() error {
	for stream, rows := range s.Rows {
		var b strings.Builder
		for _, r := range rows {
			b.WriteString(r.Data + "\n")
		}
		if err := os.WriteFile(filepath.Join(s.folder, stream+".jsonl"), []byte(b.String()), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// prune deletes the rows of a stream's older generations.
func (s *store) prune(stream string, generation int64) {
	for key, r := range s.Rows[stream] {
		if r.Generation < generation {
			delete(s.Rows[stream], key)
		}
	}
}

// prepare makes room for the rows of the streams.
func (s *store) prepare(streams []*connectorv1.Stream) {
	for _, stream := range streams {
		s.keys[stream.GetName()] = stream.GetPrimaryKey()
		if s.Rows[stream.GetName()] == nil {
			s.Rows[stream.GetName()] = map[string]row{}
		}
	}
}

// apply applies a record to the rows.
func (s *store) apply(batch *connectorv1.RecordBatch, record *connectorv1.Record) {
	rows := s.Rows[batch.GetStream()]
	switch record.GetOperation() {
	case connectorv1.Operation_OPERATION_UPSERT:
		rows[s.key(batch.GetStream(), record.GetData())] = row{record.GetData(), batch.GetGeneration()}
	case connectorv1.Operation_OPERATION_DELETE:
		delete(rows, s.key(batch.GetStream(), record.GetData()))
	case connectorv1.Operation_OPERATION_DELETE_MATCHING:
		for key, r := range rows {
			if contains(r.Data, record.GetData()) {
				delete(rows, key)
			}
		}
	default:
	}
}

// key returns the primary key of a row.
func (s *store) key(stream, data string) string {
	var fields map[string]any
	_ = json.Unmarshal([]byte(data), &fields)
	var key []string
	for _, name := range s.keys[stream] {
		key = append(key, fmt.Sprint(fields[name]))
	}
	return strings.Join(key, "/")
}

// contains reports whether a row has the fields of another.
func contains(data, other string) bool {
	var fields, wanted map[string]any
	_, _ = json.Unmarshal([]byte(data), &fields), json.Unmarshal([]byte(other), &wanted)
	for name, value := range wanted {
		if fields[name] != value {
			return false
		}
	}
	return true
}

// readConfig reads a file with a configuration.
func readConfig(path string) (*structpb.Struct, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	config := &structpb.Struct{}
	return config, protojson.Unmarshal(text, config)
}

// destination is a store for package client.
type destination struct{ *store }

// Begin implements [client.Destination].
func (d destination) Begin(_ context.Context, streams []*connectorv1.Stream) (begun client.BeginResult, err error) {
	saved, err := openStore(d.folder) // drops what a failed commit changed
	if err != nil {
		return begun, err
	}
	*d.store = *saved
	d.prepare(streams)
	for _, stream := range streams {
		if state := d.States[stream.GetName()]; state != nil {
			content := &structpb.Struct{}
			if err := protojson.Unmarshal(state, content); err != nil {
				return begun, err
			}
			begun.States = append(begun.States, &connectorv1.StreamState{Stream: stream.GetName(), Content: content})
		}
	}
	return begun, nil
}

// Commit implements [client.Destination].
func (d destination) Commit(_ context.Context, c client.Commit) error {
	for _, batch := range c.Records {
		for _, record := range batch.GetRecords() {
			d.apply(batch, record)
		}
	}
	for _, state := range c.States {
		content, err := protojson.Marshal(state.GetContent())
		if err != nil {
			return err
		}
		d.States[state.GetStream()] = content
	}
	for _, completed := range c.Completed {
		d.prune(completed.Stream, completed.Generation)
	}
	return d.save()
}

// Close implements [client.Destination].
func (d destination) Close() error { return d.export() }

// ours is package client as a Client.
func ours(ctx context.Context, s Setup) error {
	config, err := readConfig(s.Config)
	if err != nil {
		return err
	}
	c, err := client.Dial(s.Target, client.Options{})
	if err != nil {
		return err
	}
	opened, err := openStore(s.Folder)
	if err != nil {
		return errors.Join(err, c.Close())
	}
	d := destination{opened}
	_, err = c.Sync(ctx, client.SyncOptions{Config: config, Destination: d})
	return errors.Join(err, d.Close(), c.Close())
}
