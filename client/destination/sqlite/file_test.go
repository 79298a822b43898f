package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/sqlite"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// TestFileIsDeleted deletes or replaces the file during a sync. No commit may succeed then, and after another Begin the
// sync continues in a new file.
func TestFileIsDeleted(t *testing.T) {
	tests := map[string]func(path string) error{
		"deleted": os.Remove,
		"moved":   func(path string) error { return os.Rename(path, path+".old") },
		"replaced": func(path string) error {
			content, err := os.ReadFile(path)
			return errors.Join(err, os.Remove(path), os.WriteFile(path, content, 0o644))
		},
	}
	for name, lose := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "stripe.db")
			d, err := sqlite.Open(t.Context(), path, sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			streams := []*connectorv1.Stream{stream(t, "charges", `{"id":{"type":"string"}}`, "id")}
			begin := func() client.BeginResult {
				begun, err := d.Begin(t.Context(), streams)
				if err != nil {
					t.Fatal(err)
				}
				return begun
			}
			commit := func(id string) error {
				return d.Commit(t.Context(), client.Commit{
					Records: []*connectorv1.RecordBatch{{Stream: "charges", Generation: 1, Records: []*connectorv1.Record{
						{Data: `{"id":"` + id + `"}`, Operation: connectorv1.Operation_OPERATION_UPSERT}}}},
					States: []*connectorv1.StreamState{{Stream: "charges", Content: &structpb.Struct{}}},
				})
			}
			begin()
			if err := commit("a"); err != nil {
				t.Fatal(err)
			}
			if err := lose(path); err != nil {
				t.Fatal(err)
			}
			var interruption *client.Interruption
			if err := commit("b"); !errors.As(err, &interruption) || !strings.Contains(err.Error(), path+" was deleted, moved or replaced") {
				t.Fatalf("got %v, want an interruption", err)
			}
			begun := begin()
			if len(begun.Notices) == 0 {
				t.Error("it says nothing")
			}
			if len(begun.States) == 0 {
				err = commit("a")
			}
			if err = errors.Join(err, commit("b"), d.Close()); err != nil {
				t.Fatal(err)
			}
			if got := query(t, path, "SELECT id FROM charges ORDER BY id"); len(got) != 2 {
				t.Errorf("got rows %v, want a and b", got)
			}
		})
	}
}

func TestFileIsDeletedAtTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stripe.db")
	d, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err == nil || !strings.Contains(err.Error(), "was deleted") {
		t.Errorf("got %v, want that it was deleted", err)
	}
}

// TestOneLockForAllNames opens a file through symbolic links, before and after it exists.
func TestOneLockForAllNames(t *testing.T) {
	folder := t.TempDir()
	real := filepath.Join(folder, "real")
	links := map[string]string{"far": filepath.Join(real, "stripe.db"), "near": "far", "real/beside": "stripe.db", "folder": "real"}
	if err := os.Mkdir(real, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, to := range links {
		if err := os.Symlink(to, filepath.Join(folder, name)); err != nil {
			t.Skip(err)
		}
	}
	paths := []string{"far", "near", "real/beside", "folder/stripe.db", "real/stripe.db"}
	for _, first := range paths {
		d, err := sqlite.Open(t.Context(), filepath.Join(folder, first), sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, second := range paths {
			if other, err := sqlite.Open(t.Context(), filepath.Join(folder, second), sqlite.Options{}); err == nil {
				_ = other.Close()
				t.Errorf("%s was opened while %s was", second, first)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(folder, "*.lock")); err != nil || len(left) > 0 {
		t.Errorf("locks are at %v, %v", left, err)
	}
}

// TestHardLinksAreRefused opens a file with two names, and one that gets a second name during a sync.
func TestHardLinksAreRefused(t *testing.T) {
	folder := t.TempDir()
	path, other := filepath.Join(folder, "stripe.db"), filepath.Join(folder, "other.db")
	load(t, path, stream(t, "charges", `{"id":{"type":"string"}}`, "id"), `{"id":"a"}`)
	if err := os.Link(path, other); err != nil {
		t.Skip(err)
	}
	for _, name := range []string{path, other} {
		d, err := sqlite.Open(t.Context(), name, sqlite.Options{})
		if err == nil {
			_ = d.Close()
		}
		if err == nil || !strings.Contains(err.Error(), name+" is one of 2 hard links to a file") {
			t.Errorf("open %s: got %v, want that it has two names", name, err)
		}
		findings, err := sqlite.Check(t.Context(), name, sqlite.Options{}, nil)
		if err != nil || len(findings) != 1 || findings[0].Verdict != client.FindingProblem {
			t.Errorf("check %s: got %v, %v, want a problem", name, findings, err)
		}
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	load(t, path, stream(t, "charges", `{"id":{"type":"string"}}`, "id"), `{"id":"b"}`)
}

// TestIndexesOfARenamedTable renames a table, whose indexes keep their names. The table that replaces it must get its own.
func TestIndexesOfARenamedTable(t *testing.T) {
	for name, opts := range map[string]sqlite.Options{"replace": {}, "append": {Append: true}} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "stripe.db")
			charges := stream(t, "charges", `{"id":{"type":"string"},"parent":{"type":"string"}}`, "id")
			charges.ParentField = "parent"
			begin := func() []map[string]any {
				t.Helper()
				d, err := sqlite.Open(t.Context(), path, opts)
				if err != nil {
					t.Fatal(err)
				}
				_, err = d.Begin(t.Context(), []*connectorv1.Stream{charges})
				if err = errors.Join(err, d.Close()); err != nil {
					t.Fatal(err)
				}
				return query(t, path, `SELECT (SELECT group_concat(name, ', ') FROM pragma_index_info(i.name)) AS columns
FROM pragma_index_list('charges') AS i ORDER BY columns`)
			}
			first := begin()
			if len(first) == 0 {
				t.Fatal("the table has no indexes")
			}
			query(t, path, "ALTER TABLE charges RENAME TO mine")
			for range 2 { // the second time, nothing is left to create
				if diff := cmp.Diff(first, begin()); diff != "" {
					t.Errorf("indexes differ from those of the first table (-first +second):\n%s", diff)
				}
			}
		})
	}
}
