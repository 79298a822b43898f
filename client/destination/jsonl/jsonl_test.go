package jsonl_test

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/destinationtest"
	"github.com/stripe-connector/stripe-connector/client/destination/jsonl"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

func TestContract(t *testing.T) {
	for name, options := range map[string]jsonl.Options{
		"one file": {}, "gzip": {Compression: jsonl.Gzip}, "zstd, rotated": {Compression: jsonl.Zstd, Rotate: 300},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits for the disk
			destinationtest.Run(t, destinationtest.Subject{
				Modes: []destinationtest.Mode{destinationtest.Replace},
				New: func(t *testing.T) string {
					folder, err := os.MkdirTemp(t.TempDir(), "")
					if err != nil {
						t.Fatal(err)
					}
					return filepath.Join(folder, "lines")
				},
				Open: func(place string, _ destinationtest.Mode) (client.Destination, error) {
					return jsonl.Open(place, options)
				},
				Rows: func(place string, _ destinationtest.Mode) ([]destinationtest.Row, error) { return rows(place) },
				Lose: map[string]func(*testing.T, string){
					"removed":   files(os.Remove),
					"emptied":   files(func(path string) error { return os.Truncate(path, 0) }),
					"shortened": files(func(path string) error { return os.Truncate(path, 20) }),
					"replaced": files(func(path string) error {
						return errors.Join(os.Remove(path), os.WriteFile(path, []byte(strings.Repeat("x", 100_000)), 0o644))
					}),
				},
				Alter: map[string]func(*testing.T, string){
					"a file beside": func(t *testing.T, place string) {
						if err := os.WriteFile(filepath.Join(place, "_mine"), []byte("precious"), 0o644); err != nil {
							t.Error(err)
						}
					},
				},
			})
		})
	}
}

// files returns a function that applies do to the first file of the stream charges.
func files(do func(path string) error) func(*testing.T, string) {
	return func(t *testing.T, place string) {
		t.Helper()
		paths, err := filepath.Glob(filepath.Join(place, "charges*"))
		if err == nil {
			err = do(paths[0])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// rows applies the lines of every file in order. It fails if a line occurs twice, since destinationtest sends no two
// alike.
func rows(place string) ([]destinationtest.Row, error) {
	lines := map[string][]string{} // by path without the part number
	err := filepath.WalkDir(place, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name()[0] == '_' {
			return err
		}
		content, err := unpacked(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if strings.Contains(entry.Name(), ".changed") {
			return nil
		}
		stream, _, _ := strings.Cut(entry.Name(), ".")
		at := filepath.Join(filepath.Dir(path), stream)
		lines[at] = append(lines[at], strings.SplitAfter(content, "\n")...) // the files are sorted by name
		return nil
	})
	var all []destinationtest.Row
	for at, lines := range lines {
		account := ""
		if parent := filepath.Dir(at); parent != place {
			account = filepath.Base(parent)
		}
		stream := "charges"
		if !strings.HasPrefix(filepath.Base(at), stream) {
			stream = destinationtest.Streams()[1].GetName()
		}
		left, err := apply(lines)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		for id, data := range left {
			all = append(all, destinationtest.Row{Stream: stream, Account: account, ID: id, Data: data})
		}
	}
	return all, err
}

// unpacked reads a file and decompresses it if necessary.
func unpacked(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	var content []byte
	switch info, err := file.Stat(); {
	case err != nil || info.Size() == 0:
		return "", err
	case strings.HasSuffix(path, ".gz"):
		unzip, err := gzip.NewReader(file)
		if err != nil {
			return "", err
		}
		content, err = io.ReadAll(unzip)
		return string(content), err
	case strings.HasSuffix(path, ".zst"):
		decoder, err := zstd.NewReader(file)
		if err != nil {
			return "", err
		}
		defer decoder.Close()
		content, err = io.ReadAll(decoder)
		return string(content), err
	}
	content, err = io.ReadAll(file)
	return string(content), err
}

// apply applies lines in order and returns the remaining data by id.
func apply(lines []string) (map[string]string, error) {
	data, generations := map[string]string{}, map[string]int64{}
	seen := map[string]bool{}
	for _, text := range lines {
		if text == "" {
			continue
		}
		var line struct {
			Operation  string
			Generation int64
			Data       json.RawMessage
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			return nil, err
		}
		if seen[text] {
			return nil, fmt.Errorf("line comes twice: %s", text)
		}
		seen[text] = true
		if line.Operation == "COMPLETE" {
			for id, generation := range generations {
				if generation < line.Generation {
					delete(data, id)
					delete(generations, id)
				}
			}
			continue
		}
		if line.Operation == "DELETE_MATCHING" {
			if err := removeMatching(data, line.Data); err != nil {
				return nil, err
			}
			continue
		}
		var object struct{ ID string }
		if err := json.Unmarshal(line.Data, &object); err != nil {
			return nil, err
		}
		data[object.ID], generations[object.ID] = string(line.Data), line.Generation
		if line.Operation == "DELETE" {
			delete(data, object.ID)
			delete(generations, object.ID)
		}
	}
	return data, nil
}

// removeMatching removes the rows whose fields equal those of an object.
func removeMatching(data map[string]string, object json.RawMessage) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(object, &fields); err != nil {
		return err
	}
	for id, row := range data {
		var values map[string]json.RawMessage
		if err := json.Unmarshal([]byte(row), &values); err != nil {
			return err
		}
		matches := true
		for name, value := range fields {
			matches = matches && string(values[name]) == string(value)
		}
		if matches {
			delete(data, id)
		}
	}
	return nil
}

// begun opens a folder and begins a sync of one stream.
func begun(t *testing.T, folder, stream string) *jsonl.Destination {
	t.Helper()
	d, err := jsonl.Open(folder, jsonl.Options{})
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
		States: []*connectorv1.StreamState{{Stream: "charges", Content: &structpb.Struct{}}},
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

func TestBeginRemovesUncoveredLines(t *testing.T) {
	folder := t.TempDir()
	d := begun(t, folder, "charges")
	rows := []*connectorv1.RecordBatch{{Stream: "charges", Records: []*connectorv1.Record{
		{Operation: connectorv1.Operation_OPERATION_UPSERT, Data: `{"id":"a"}`}}}}
	state := []*connectorv1.StreamState{{Stream: "charges", Content: &structpb.Struct{}}}
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

func TestFilesStayInTheFolder(t *testing.T) {
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
		_, err := jsonl.Open(path, jsonl.Options{})
		wantError(t, err, "is a file: choose a folder")
	})
	t.Run("a device", func(t *testing.T) {
		_, err := jsonl.Open(os.DevNull, jsonl.Options{})
		wantError(t, err, "is a device: choose a folder")
	})
	t.Run("another program's state", func(t *testing.T) {
		folder := t.TempDir()
		write(t, filepath.Join(folder, "_state.json"), "nonsense")
		_, err := jsonl.Open(folder, jsonl.Options{})
		wantError(t, err, "is not a state file of this program")
	})
	t.Run("a state of a later version", func(t *testing.T) {
		folder := t.TempDir()
		write(t, filepath.Join(folder, "_state.json"), `{"version":2}`)
		_, err := jsonl.Open(folder, jsonl.Options{})
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
}

// TestPartsSort checks that names sort in the order of writing, since readers apply a stream's files in that order.
func TestPartsSort(t *testing.T) {
	folder := t.TempDir()
	write := func(opts jsonl.Options, ids ...int) {
		t.Helper()
		d, err := jsonl.Open(folder, opts)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}()
		if _, err := d.Begin(t.Context(), []*connectorv1.Stream{{Name: "charges"}}); err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			err := d.Commit(t.Context(), client.Commit{
				Records: []*connectorv1.RecordBatch{{Stream: "charges", Records: []*connectorv1.Record{
					{Operation: connectorv1.Operation_OPERATION_UPSERT, Data: fmt.Sprintf(`{"id":"a","n":%d}`, id)}}}},
				States: []*connectorv1.StreamState{{Stream: "charges", Content: &structpb.Struct{}}},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	var many []int
	for n := range 120 {
		many = append(many, n)
	}
	write(jsonl.Options{}, -1)               // a single file
	write(jsonl.Options{Rotate: 1}, many...) // a new part for each record
	paths, err := filepath.Glob(filepath.Join(folder, "charges*"))
	if err != nil || len(paths) < 120 {
		t.Fatalf("got %d files, %v", len(paths), err)
	}
	next := -1
	for _, path := range paths { // sorted by name
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(content)) {
			if want := fmt.Sprintf(`"n":%d}`, next); !strings.Contains(line, want) {
				t.Fatalf("%s holds %s, want %s", path, line, want)
			}
			next++
		}
	}
	if next != 120 {
		t.Errorf("found %d lines", next+1)
	}
}

// TestFewOpenFiles loads more streams than the process may have files open, then removes one of the files.
func TestFewOpenFiles(t *testing.T) {
	if os.Getenv("STRIPE_CONNECTOR_TEST_FILES") == "" {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -n 40 && exec "$0" -test.run='^TestFewOpenFiles$'`, os.Args[0])
		cmd.Env = append(os.Environ(), "STRIPE_CONNECTOR_TEST_FILES="+t.TempDir())
		if runtime.GOOS == "windows" {
			t.Skip("there is no such limit")
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	d, err := jsonl.Open(os.Getenv("STRIPE_CONNECTOR_TEST_FILES"), jsonl.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var streams []*connectorv1.Stream
	for n := range 90 {
		streams = append(streams, &connectorv1.Stream{Name: fmt.Sprintf("s%d", n)})
	}
	for range 2 {
		if _, err := d.Begin(t.Context(), streams); err != nil {
			t.Fatal(err)
		}
		var c client.Commit
		for _, s := range streams {
			c.Records = append(c.Records, &connectorv1.RecordBatch{Stream: s.GetName(), Records: []*connectorv1.Record{
				{Operation: connectorv1.Operation_OPERATION_UPSERT, Data: `{"id":"a"}`}}})
			c.States = append(c.States, &connectorv1.StreamState{Stream: s.GetName(), Content: &structpb.Struct{}})
		}
		if err := d.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
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
