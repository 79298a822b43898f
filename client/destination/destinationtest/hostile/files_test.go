package hostile_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/stripe-connector/stripe-connector/client/destination/destinationtest/hostile"
)

// folder is a place in files: a SQLite database stripe.db, or JSON Lines files.
type folder struct{ path, kind string }

// Name implements hostile.Place.
func (f folder) Name() string {
	if f.kind == "sqlite" {
		return "sqlite:" + f.database()
	}
	return f.kind + ":" + f.path + "?rotate=20KB"
}

func (f folder) database() string { return filepath.Join(f.path, "stripe.db") }

// Everything implements hostile.Place.
func (f folder) Everything(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	if head, err := os.ReadFile(f.database()); err == nil && strings.HasPrefix(string(head), "SQLite format") {
		return strings.Join(f.query(t, `SELECT coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE '%_stripe_connector%' ORDER BY name`), "\n")
	}
	if err := filepath.WalkDir(f.path, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		fmt.Fprintf(&all, "%s: %q\n", path, content)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// Rows implements hostile.Place.
func (f folder) Rows(t *testing.T, stream string) map[string]string {
	t.Helper()
	rows := map[string]string{}
	if f.kind == "sqlite" {
		for _, object := range f.query(t, "SELECT json_object('id', id, 'amount', amount, 'note', note, 'card', json(card), "+
			"'paid', json(iif(paid, 'true', 'false'))) FROM "+stream) {
			var row struct{ ID string }
			if err := json.Unmarshal([]byte(object), &row); err != nil {
				t.Fatal(err)
			}
			rows[row.ID] = object
		}
		return rows
	}
	for _, path := range f.files(t, stream) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for text := range strings.Lines(string(content)) {
			var line struct {
				Operation string
				Data      json.RawMessage
			}
			var row struct{ ID string }
			if err := errors.Join(json.Unmarshal([]byte(text), &line), json.Unmarshal(line.Data, &row)); err != nil && line.Operation != "COMPLETE" {
				t.Fatalf("%s: %v: %s", path, err, text)
			}
			switch line.Operation {
			case "UPSERT":
				rows[row.ID] = string(line.Data)
			case "DELETE":
				delete(rows, row.ID)
			}
		}
	}
	return rows
}

// files returns the files of a stream, in order.
func (f folder) files(t *testing.T, stream string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(f.path, stream+"*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// query returns the first column of a query's rows.
func (f folder) query(t *testing.T, statement string) (all []string) {
	t.Helper()
	db, err := sql.Open("sqlite", f.database())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	found, err := db.QueryContext(t.Context(), "PRAGMA busy_timeout = 10000; "+statement)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	for found.Next() {
		var value string
		if err := found.Scan(&value); err != nil {
			t.Fatal(err)
		}
		all = append(all, value)
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// run returns a function that executes statements.
func (f folder) run(statements ...string) func(*testing.T) {
	return func(t *testing.T) {
		t.Helper()
		for _, s := range statements {
			f.query(t, s)
		}
	}
}

func TestSQLite(t *testing.T) {
	again := []string{"The stream will be re-read from the beginning."}
	cases := map[string]func(folder) hostile.Case{
		"dropped table":  func(f folder) hostile.Case { return hostile.Case{Between: f.run("DROP TABLE charges"), Warned: again} },
		"dropped during": func(f folder) hostile.Case { return hostile.Case{During: f.run("DROP TABLE charges"), Warned: again} },
		"renamed table": func(f folder) hostile.Case {
			return hostile.Case{Between: f.run("ALTER TABLE charges RENAME TO mine"), Warned: again}
		},
		"emptied table":  func(f folder) hostile.Case { return hostile.Case{Between: f.run("DELETE FROM charges"), Warned: again} },
		"emptied during": func(f folder) hostile.Case { return hostile.Case{During: f.run("DELETE FROM charges"), Warned: again} },
		"dropped column": func(f folder) hostile.Case {
			return hostile.Case{Between: f.run("ALTER TABLE charges DROP COLUMN note"), Warned: again}
		},
		"dropped column during": func(f folder) hostile.Case {
			return hostile.Case{During: f.run("ALTER TABLE charges DROP COLUMN note"), Warned: again}
		},
		"columns, a trigger and a view of the user's": func(f folder) hostile.Case {
			return hostile.Case{Between: f.run("ALTER TABLE charges ADD COLUMN mine TEXT DEFAULT 'x'", "ALTER TABLE charges ADD COLUMN twice AS (amount * 2)",
				"CREATE TABLE log (id)", "CREATE TRIGGER mine AFTER INSERT ON charges BEGIN INSERT INTO log VALUES (new.id); END", "CREATE VIEW few AS SELECT id FROM charges")}
		},
		"a trigger that refuses": func(f folder) hostile.Case {
			return hostile.Case{
				Between:  f.run("CREATE TRIGGER no BEFORE INSERT ON charges WHEN new.id IN ('id_0007', 'id_0602') BEGIN SELECT raise(ABORT, 'no'); END", "DELETE FROM charges"),
				SetAside: map[string][]string{"charges": {"id_0007"}}, Unset: f.run("DROP TRIGGER no"),
			}
		},
		"deleted file": func(f folder) hostile.Case {
			return hostile.Case{Between: func(t *testing.T) { remove(t, f.database()) }}
		},
		"deleted file during": func(f folder) hostile.Case {
			return hostile.Case{During: func(t *testing.T) { remove(t, f.database()) }, Warned: []string{"was deleted, moved or replaced"}}
		},
		"dropped states": func(f folder) hostile.Case {
			return hostile.Case{Between: f.run("DROP TABLE _stripe_connector_state")}
		},
		"dropped identities": func(f folder) hostile.Case {
			return hostile.Case{Between: f.run("DROP TABLE _stripe_connector_tables")}
		},
		"a lock for a while": func(f folder) hostile.Case {
			return hostile.Case{During: func(t *testing.T) {
				db, err := sql.Open("sqlite", f.database())
				if err == nil {
					_, err = db.ExecContext(t.Context(), "PRAGMA busy_timeout = 10000; BEGIN IMMEDIATE")
				}
				if err != nil {
					t.Error(err)
					return
				}
				time.AfterFunc(time.Second, func() { _ = db.Close() })
			}}
		},
		"no database": func(f folder) hostile.Case {
			return hostile.Case{Before: func(t *testing.T) { write(t, f.database(), strings.Repeat("text ", 1000)) },
				Refused: []string{"is not a SQLite database: choose another file"}}
		},
		"a table of the user's": func(f folder) hostile.Case {
			return hostile.Case{Before: f.run("CREATE TABLE charges (id)"), Refused: []string{"table charges was not created by a sync"}}
		},
	}
	each(t, "sqlite", cases)
}

func TestJSONLines(t *testing.T) {
	again := []string{"The stream will be re-read from the beginning."}
	first := func(f folder, do func(path string) error) func(*testing.T) {
		return func(t *testing.T) {
			t.Helper()
			if err := do(f.files(t, "charges")[0]); err != nil {
				t.Fatal(err)
			}
		}
	}
	last := func(f folder, do func(path string) error) func(*testing.T) {
		return func(t *testing.T) {
			t.Helper()
			files := f.files(t, "charges")
			if err := do(files[len(files)-1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	cut := func(path string) error { return os.Truncate(path, 100) }
	cases := map[string]func(folder) hostile.Case{
		"first file removed":        func(f folder) hostile.Case { return hostile.Case{Between: first(f, os.Remove), Warned: again} },
		"first file removed during": func(f folder) hostile.Case { return hostile.Case{During: first(f, os.Remove)} },
		"last file removed during":  func(f folder) hostile.Case { return hostile.Case{During: last(f, os.Remove)} },
		"first file cut":            func(f folder) hostile.Case { return hostile.Case{Between: first(f, cut), Warned: again} },
		"states removed, and files": func(f folder) hostile.Case {
			return hostile.Case{Between: func(t *testing.T) {
				for _, path := range append(f.files(t, "*"), filepath.Join(f.path, "_state.json")) {
					remove(t, path)
				}
			}}
		},
		"states alone removed": func(f folder) hostile.Case {
			return hostile.Case{Between: func(t *testing.T) { remove(t, filepath.Join(f.path, "_state.json")) },
				Refused: []string{"was not written by a sync: move it away, or choose another folder"}}
		},
		"states changed": func(f folder) hostile.Case {
			return hostile.Case{Between: func(t *testing.T) { write(t, filepath.Join(f.path, "_state.json"), "mine") },
				Refused: []string{"is not a state file of this program: choose another folder"}}
		},
	}
	each(t, "jsonl", cases)
}

func each(t *testing.T, kind string, cases map[string]func(folder) hostile.Case) {
	all := map[string]func(*testing.T){}
	for name, c := range cases {
		all[name] = func(t *testing.T) {
			place := folder{t.TempDir(), kind}
			hostile.Run(t, place, c(place))
		}
	}
	together(t, all)
}

// together runs cases in parallel, more than there are processors, since they mostly wait.
func together(t *testing.T, cases map[string]func(*testing.T)) {
	var all sync.WaitGroup
	room := make(chan struct{}, 6)
	for name, run := range cases {
		all.Go(func() {
			room <- struct{}{}
			t.Run(name, run)
			<-room
		})
	}
	all.Wait()
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
