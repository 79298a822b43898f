package destination_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/all"
	"github.com/stripe-connector/stripe-connector/client/destination/destinationtest"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// TestCheckFiles tests the findings of Check for destinations in files, and that it changes nothing.
func TestCheckFiles(t *testing.T) {
	write := func(t *testing.T, path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]struct {
		prepare func(t *testing.T, folder string)
		name    string // with %s for the folder
		want    string // the verdict and the start of the message of a finding
	}{
		"sqlite, new":      {nil, "sqlite:%s/a.db", "note it doesn't exist yet"},
		"sqlite, ours":     {func(t *testing.T, f string) { loadOne(t, "sqlite:"+f+"/a.db") }, "sqlite:%s/a.db", "ok "},
		"sqlite, not ours": {func(t *testing.T, f string) { write(t, f+"/a.db", strings.Repeat("text ", 500)) }, "sqlite:%s/a.db", "problem %s/a.db is not a SQLite database"},
		"sqlite, a device": {nil, "sqlite:/dev/null", "problem /dev/null is a device"},
		"sqlite, appended": {func(t *testing.T, f string) { loadOne(t, "sqlite:"+f+"/a.db") }, "sqlite:%s/a.db?mode=append", "problem table charges was created without mode=append"},
		"sqlite, locked":   {func(t *testing.T, f string) { hold(t, "sqlite:"+f+"/a.db") }, "sqlite:%s/a.db", "problem another sync is writing"},
		"sqlite, nowhere":  {nil, "sqlite:%s/none/a.db", "problem folder"},
		"jsonl, new":       {nil, "jsonl:%s/new/lines", "note it doesn't exist yet"},
		"jsonl, ours":      {func(t *testing.T, f string) { loadOne(t, "jsonl:"+f) }, "jsonl:%s", "ok "},
		"jsonl, a file":    {func(t *testing.T, f string) { write(t, f+"/a", "") }, "jsonl:%s/a", "problem %s/a is a file: choose a folder"},
		"jsonl, a loss": {func(t *testing.T, f string) {
			loadOne(t, "jsonl:"+f)
			if err := os.Remove(f + "/charges.jsonl"); err != nil {
				t.Fatal(err)
			}
		}, "jsonl:%s", "note it is missing or shorter"},
		"jsonl, locked": {func(t *testing.T, f string) { hold(t, "jsonl:"+f) }, "jsonl:%s", "problem another sync is writing"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			if test.prepare != nil {
				test.prepare(t, folder)
			}
			before := contents(t, folder)
			findings, err := all.Kinds().Check(t.Context(), strings.ReplaceAll(test.name, "%s", folder), destinationtest.Streams())
			if err != nil {
				t.Fatal(err)
			}
			want, found := strings.ReplaceAll(test.want, "%s", folder), false
			for _, f := range findings {
				found = found || strings.HasPrefix(string(f.Verdict)+" "+f.Message, want)
				if f.Verdict == client.FindingProblem && !strings.HasPrefix(want, "problem") {
					t.Errorf("found a problem: %v", f)
				}
			}
			if !found {
				t.Errorf("found %v, want %q", findings, want)
			}
			if diff := cmp.Diff(before, contents(t, folder)); diff != "" {
				t.Errorf("the check changed something (-before +after):\n%s", diff)
			}
		})
	}
}

// loadOne commits one record of the stream "charges", and a state.
func loadOne(t *testing.T, name string) {
	t.Helper()
	d := opened(t, name)
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := d.Begin(t.Context(), destinationtest.Streams()); err != nil {
		t.Fatal(err)
	}
	record := &connectorv1.Record{Data: destinationtest.Data("a", "p", 1), Operation: connectorv1.Operation_OPERATION_UPSERT}
	if err := d.Commit(t.Context(), client.Commit{
		Records: []*connectorv1.RecordBatch{{Stream: "charges", Generation: 1, Records: []*connectorv1.Record{record}}},
		States:  []*connectorv1.StreamState{{Stream: "charges", Content: &structpb.Struct{}}},
	}); err != nil {
		t.Fatal(err)
	}
}

// hold keeps a destination open until the test ends.
func hold(t *testing.T, name string) {
	t.Helper()
	d := opened(t, name)
	t.Cleanup(func() { _ = d.Close() })
}

func opened(t *testing.T, name string) client.Destination {
	t.Helper()
	d, err := all.Kinds().Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// contents summarizes the files in a folder, except those that SQLite keeps beside an open database.
func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	all := map[string]string{}
	if err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, "-wal") || strings.HasSuffix(path, "-shm") {
			return err
		}
		content, err := os.ReadFile(path)
		all[path] = fmt.Sprintf("%d bytes, %x", len(content), content[:min(len(content), 200)])
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}
