package cli

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
)

func TestReread(t *testing.T) {
	to := "sqlite:" + filepath.Join(t.TempDir(), "stripe.db")
	w := newWorld(t, fakeSource{})
	w.environment["STRIPE_API_KEY"] = plantedKey
	w.runs(t, exitOK, "sync", "--to", to)
	w.runs(t, exitOK, "reread", "apples", "--to", to)
	says(t, w.err, "warning: apples: A re-read was requested. The stream will be re-read from the beginning.")
	says(t, w.out, "apples  complete  ")
	w.runs(t, exitUsage, "reread", "--to", to)
	w.runs(t, exitFailure, "reread", "appels", "--to", to)
	says(t, w.err, `Did you mean "apples"?`)
}

func TestSyncReportsRefusedRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stripe.db")
	w := newWorld(t, fakeSource{})
	w.environment["STRIPE_API_KEY"] = plantedKey
	w.runs(t, exitOK, "sync", "--to", "sqlite:"+path)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `CREATE TRIGGER refuse BEFORE INSERT ON apples WHEN new.id = 'apples_1'
BEGIN SELECT raise(ABORT, 'not this one'); END`); err != nil {
		t.Fatal(err)
	}
	const notice = "\napples: 1 record could not be stored, and is set aside: apples_1 (table apples rejects it: not this one"
	w.runs(t, exitOK, "sync", "--to", "sqlite:"+path)
	says(t, w.out, notice)
	w.runs(t, exitOK, "sync", "--to", "sqlite:"+path)
	says(t, w.out, notice)
	if _, err := db.ExecContext(t.Context(), "DROP TRIGGER refuse"); err != nil {
		t.Fatal(err)
	}
	before := len(w.out.String())
	w.runs(t, exitOK, "sync", "--to", "sqlite:"+path)
	if got := w.out.String()[before:]; strings.Contains(got, "set aside") {
		t.Errorf("it still says that a record is set aside:\n%s", got)
	}
}
