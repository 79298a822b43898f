package jsonl_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/destinationtest"
	"github.com/stripe-connector/stripe-connector/client/destination/jsonl"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

func TestKeepsThePromise(t *testing.T) {
	destinationtest.Run(t, destinationtest.Subject{
		New: func(t *testing.T) string {
			folder, err := os.MkdirTemp(t.TempDir(), "")
			if err != nil {
				t.Fatal(err)
			}
			return filepath.Join(folder, "lines")
		},
		Open: func(place string) (client.Destination, error) { return jsonl.Open(place) },
		Rows: rows,
	})
}

// rows applies the lines of every file, and refuses a line that comes twice: destinationtest sends no two alike.
func rows(place string) (map[string]string, error) {
	all := map[string]string{}
	err := filepath.WalkDir(place, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".jsonl" {
			return err
		}
		account := ""
		if parent := filepath.Dir(path); parent != place {
			account = filepath.Base(parent)
		}
		stream := "charges"
		if !strings.HasPrefix(entry.Name(), stream) {
			stream = destinationtest.Streams()[1].GetName()
		}
		return apply(all, path, stream, account)
	})
	return all, err
}

func apply(all map[string]string, path, stream, account string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	seen := map[string]bool{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var line struct {
			Operation string
			AsOf      string `json:"as_of"`
			Data      json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if seen[lines.Text()] {
			return fmt.Errorf("%s: line comes twice: %s", path, lines.Text())
		}
		seen[lines.Text()] = true
		var object struct{ ID string }
		if err := json.Unmarshal(line.Data, &object); err != nil {
			return err
		}
		key := destinationtest.Key(stream, account, object.ID)
		if line.Operation == "DELETE" {
			delete(all, key)
		} else {
			all[key] = string(line.Data)
		}
	}
	return lines.Err()
}

// begun opens a folder with one stream.
func begun(t *testing.T, folder, stream string) *jsonl.Destination {
	t.Helper()
	d, err := jsonl.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if _, err := d.Begin(t.Context(), []*connectorv1.Stream{{Name: stream}}); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestLines(t *testing.T) {
	folder := t.TempDir()
	d := begun(t, folder, "charges")
	at := timestamppb.New(time.Unix(1_700_000_000, 0))
	commit := client.Commit{
		Records: []*connectorv1.RecordBatch{{Stream: "charges", Generation: 2, Records: []*connectorv1.Record{
			{Operation: connectorv1.Operation_OPERATION_UPSERT, Data: "{\"id\": \"a\",\n\"n\": 1.10}", AsOf: at},
			{Operation: connectorv1.Operation_OPERATION_DELETE, Data: `{"id":"a"}`, EventId: "evt_1"},
		}}},
		States: []*connectorv1.StreamState{{Stream: "charges", State: &structpb.Struct{}}},
	}
	if err := d.Commit(t.Context(), commit); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(folder, "charges.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"operation":"UPSERT","as_of":"2023-11-14T22:13:20Z","generation":2,"data":{"id":"a","n":1.10}}
{"operation":"DELETE","event_id":"evt_1","generation":2,"data":{"id":"a"}}
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBeginTakesAwayWhatNoStateCovers(t *testing.T) {
	folder := t.TempDir()
	d := begun(t, folder, "charges")
	rows := []*connectorv1.RecordBatch{{Stream: "charges", Records: []*connectorv1.Record{
		{Operation: connectorv1.Operation_OPERATION_UPSERT, Data: `{"id":"a"}`}}}}
	state := []*connectorv1.StreamState{{Stream: "charges", State: &structpb.Struct{}}}
	for _, c := range []client.Commit{{Records: rows, States: state}, {Records: rows}} {
		if err := d.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Begin(t.Context(), []*connectorv1.Stream{{Name: "charges"}}); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(folder, "charges.jsonl"))
	if err != nil || strings.Count(string(content), "\n") != 1 {
		t.Errorf("got %q, %v, want the one line that the state covers", content, err)
	}
}

func TestNamesStayInTheFolder(t *testing.T) {
	for _, stream := range []string{"../up", "..", "a/b", `a\b`, "_state.json", "", "C:x"} {
		t.Run(stream, func(t *testing.T) {
			outer := t.TempDir()
			folder := filepath.Join(outer, "in")
			d := begun(t, folder, stream)
			commit := client.Commit{Records: []*connectorv1.RecordBatch{{Stream: stream, Account: "../..",
				Records: []*connectorv1.Record{{Operation: connectorv1.Operation_OPERATION_UPSERT, Data: `{}`}}}}}
			if err := d.Commit(t.Context(), commit); err != nil {
				t.Fatal(err)
			}
			entries, err := os.ReadDir(outer)
			if err != nil || len(entries) != 1 {
				t.Errorf("got %v, %v beside the folder", entries, err)
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	write := func(t *testing.T, path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("a file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "file")
		write(t, path, "")
		_, err := jsonl.Open(path)
		wantError(t, err, "is a file: name a folder")
	})
	t.Run("another program's state", func(t *testing.T) {
		folder := t.TempDir()
		write(t, filepath.Join(folder, "_state.json"), "nonsense")
		_, err := jsonl.Open(folder)
		wantError(t, err, "is not a state file of this program")
	})
	t.Run("a state of a later version", func(t *testing.T) {
		folder := t.TempDir()
		write(t, filepath.Join(folder, "_state.json"), `{"version":2}`)
		_, err := jsonl.Open(folder)
		wantError(t, err, "has version 2")
	})
	t.Run("a file that is not ours", func(t *testing.T) {
		folder := t.TempDir()
		path := filepath.Join(folder, "charges.jsonl")
		write(t, path, "precious")
		d := begun(t, folder, "charges")
		err := d.Commit(t.Context(), client.Commit{Records: []*connectorv1.RecordBatch{{Stream: "charges"}}})
		wantError(t, err, "was not written by a sync")
		if content, _ := os.ReadFile(path); string(content) != "precious" {
			t.Errorf("the file now holds %q", content)
		}
	})
	t.Run("a file that lost lines", func(t *testing.T) {
		folder := t.TempDir()
		write(t, filepath.Join(folder, "_state.json"), `{"version":1,"streams":[{"stream":"charges","size":9,"state":{}}]}`)
		d, err := jsonl.Open(folder)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		_, err = d.Begin(t.Context(), []*connectorv1.Stream{{Name: "charges"}})
		wantError(t, err, "has 0 bytes and its state covers 9")
	})
}

func wantError(t *testing.T, err error, part string) {
	t.Helper()
	if err == nil {
		t.Fatal("got no error")
	}
	if !strings.Contains(err.Error(), part) {
		t.Errorf("got %q, want something with %q", err, part)
	}
	if errors.Unwrap(err) != nil && strings.Contains(err.Error(), "goroutine") {
		t.Errorf("the error holds a stack trace: %q", err)
	}
}
