package sqlite_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/sqlite"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

func TestOpenRefuses(t *testing.T) {
	folder := t.TempDir()
	other := filepath.Join(folder, "other.txt")
	if err := os.WriteFile(other, []byte(strings.Repeat("not a database\n", 100)), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ path, want string }{
		"a folder":         {folder, "is a folder: choose a file in it"},
		"no such folder":   {filepath.Join(folder, "none", "a.db"), "doesn't exist: create it"},
		"not a database":   {other, "is not a SQLite database: choose another file"},
		"in memory":        {":memory:", "use a file"},
		"a device":         {os.DevNull, "is a device: choose a file"},
		"long name":        {filepath.Join(folder, strings.Repeat("long", 100)), "is too long for its file system: choose a shorter one"},
		"folder is a file": {filepath.Join(other, "a.db"), "doesn't exist: create it"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d, err := sqlite.Open(t.Context(), test.path, sqlite.Options{})
			if err == nil {
				_ = d.Close()
				t.Fatal("got no error")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q, want something with %q", err, test.want)
			}
		})
	}
}

func TestBeginRefuses(t *testing.T) {
	const id = `{"id":{"type":"string"}}`
	tests := map[string]struct {
		before  *connectorv1.Stream
		streams []*connectorv1.Stream
		want    string
	}{
		"no key":      {nil, []*connectorv1.Stream{stream(t, "a", id)}, "no primary key"},
		"another key": {stream(t, "a", id, "id"), []*connectorv1.Stream{stream(t, "a", id, "id", "n")}, "another primary key"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "stripe.db")
			if test.before != nil {
				load(t, path, test.before)
			}
			d, err := sqlite.Open(t.Context(), path, sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			_, err = d.Begin(t.Context(), test.streams)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want something with %q", err, test.want)
			}
		})
	}
}

func TestCommitRefusesAllOrNothing(t *testing.T) {
	record := func(data string, o connectorv1.Operation) []*connectorv1.Record {
		return []*connectorv1.Record{{Data: data, Operation: o}}
	}
	const upsert = connectorv1.Operation_OPERATION_UPSERT
	tests := map[string]struct {
		stream  string
		records []*connectorv1.Record
		want    string
	}{
		"not JSON":      {"a", record(`{"id":"x`, upsert), "is not a JSON object"},
		"not an object": {"a", record(`[1]`, upsert), "is not a JSON object"},
		"no key":        {"a", record(`{"name":"x"}`, upsert), `no value for its key "id"`},
		"too many": {"a", func() (many []*connectorv1.Record) {
			for range 102 {
				many = append(many, record(`{"id":"\u0000"}`, upsert)...)
			}
			return many
		}(), "rejects more than 100 records"},
		"key is null":       {"a", record(`{"id":null}`, upsert), `no value for its key "id"`},
		"unknown operation": {"a", record(`{"id":"x"}`, 17), "this version doesn't support"},
		"unknown stream":    {"b", record(`{"id":"x"}`, upsert), `records of "b", which was not requested`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "stripe.db")
			d, err := sqlite.Open(t.Context(), path, sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if _, err := d.Begin(t.Context(), []*connectorv1.Stream{stream(t, "a", `{"id":{"type":"string"}}`, "id")}); err != nil {
				t.Fatal(err)
			}
			err = d.Commit(t.Context(), client.Commit{Records: []*connectorv1.RecordBatch{
				{Stream: "a", Records: record(`{"id":"good"}`, upsert)},
				{Stream: test.stream, Records: test.records},
			}})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want something with %q", err, test.want)
			}
			if rows := query(t, path, "SELECT * FROM a"); len(rows) != 0 {
				t.Errorf("%d rows were stored, want none", len(rows))
			}
		})
	}
}
