package runlog_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/testing/protocmp"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/stripe-connector/stripe-connector/client/runlog"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, path string) *runlog.Store {
	t.Helper()
	s, err := runlog.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// begin starts a run at 13:00 plus the given minutes.
func begin(t *testing.T, s *runlog.Store, pipeline string, minute int) *runlog.Run {
	t.Helper()
	at := time.Date(2024, 1, 31, 13, minute, 0, 0, time.UTC)
	run := &runlog.Run{Pipeline: pipeline, Slot: at, Attempt: 1, Process: "host:1", Started: at.Add(time.Second)}
	if err := s.Begin(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	return run
}

func runs(t *testing.T, s *runlog.Store, f runlog.Filter) []runlog.Run {
	t.Helper()
	all, err := s.Runs(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestSavedRunRoundTrips(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a log?.db")
	s := open(t, path)
	run := begin(t, s, "acme", 0)
	run.Status, run.Ended = runlog.Failed, run.Started.Add(90*time.Second)
	run.Reads, run.Requests, run.Retries, run.Waited = 2, 30, 4, 1500*time.Millisecond
	run.Class, run.Error = "AUTH", "The key was rejected: create a new one."
	run.Streams = []runlog.Stream{
		{Stream: "charges", Status: "complete", Extracted: 12, Loaded: 10, Deleted: 2, Withheld: 4, SetAside: 5, Bytes: 3000,
			Duration: time.Second, Watermark: run.Started,
			Drift: &connectorv1.Drift{Examined: 9, NewFields: []*connectorv1.NewField{{Path: "a.b", Records: 1}}, AbsentFields: []string{"c"}}},
		{Stream: "charges", Account: "acct_1", Status: "skipped", Error: "The key may not read it."},
	}
	if err := s.Save(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	entries := []runlog.Entry{
		{At: run.Started, Level: "info", Message: "One."},
		{At: run.Started, Level: "warning", Stream: "charges", Account: "acct_1", Message: "Two."},
	}
	for _, e := range entries {
		if err := s.Add(t.Context(), run.ID, e); err != nil {
			t.Fatal(err)
		}
	}

	viewed, err := runlog.View(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer viewed.Close()
	if diff := cmp.Diff([]runlog.Run{*run}, runs(t, viewed, runlog.Filter{ID: run.ID}), protocmp.Transform()); diff != "" {
		t.Errorf("run (-want +got):\n%s", diff)
	}
	got, err := viewed.Entries(t.Context(), run.ID)
	if diff := cmp.Diff(entries, got); diff != "" || err != nil {
		t.Errorf("entries (-want +got):\n%s%v", diff, err)
	}
	if total := run.Total(); total.Extracted != 12 || total.Loaded != 10 || total.Deleted != 2 || total.Withheld != 4 || total.SetAside != 5 || total.Bytes != 3000 {
		t.Errorf("got total %+v", total)
	}
}

func TestFilter(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "runs.db"))
	for minute, pipeline := range []string{"a", "b", "a", "b"} {
		run := begin(t, s, pipeline, minute)
		run.Status, run.Ended = runlog.Succeeded, run.Started
		if err := s.Save(t.Context(), run); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]struct {
		filter runlog.Filter
		want   []int64
	}{
		"all":      {runlog.Filter{}, []int64{4, 3, 2, 1}},
		"pipeline": {runlog.Filter{Pipeline: "a"}, []int64{3, 1}},
		"limit":    {runlog.Filter{Limit: 3}, []int64{4, 3, 2}},
		"since":    {runlog.Filter{Since: time.Date(2024, 1, 31, 13, 2, 1, 0, time.UTC)}, []int64{4, 3}},
		"id":       {runlog.Filter{ID: 2}, []int64{2}},
		"status":   {runlog.Filter{Status: runlog.Running}, nil},
		"none":     {runlog.Filter{Pipeline: "c"}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []int64
			for _, r := range runs(t, s, test.filter) {
				got = append(got, r.ID)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	last, err := s.Last(t.Context(), "a")
	if err != nil || last.ID != 3 {
		t.Errorf("got last run %v, %v, want 3", last, err)
	}
	if last, err := s.Last(t.Context(), "never"); last != nil || err != nil {
		t.Errorf("got last run %v, %v of a pipeline that never ran", last, err)
	}
}

func TestRunOfADeadProcessIsLost(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "runs.db"))
	dead, other := begin(t, s, "a", 0), begin(t, s, "b", 0)
	dead.Streams = []runlog.Stream{{Stream: "charges", Status: "running", Extracted: 7}}
	if err := s.Save(t.Context(), dead); err != nil {
		t.Fatal(err)
	}
	next := begin(t, s, "a", 1)
	status := map[int64]runlog.Status{}
	for _, r := range runs(t, s, runlog.Filter{}) {
		status[r.ID] = r.Status
		if r.ID == dead.ID && (r.Ended.IsZero() || !strings.Contains(r.Error, "resumes from there") || len(r.Streams) != 1) {
			t.Errorf("the lost run is %+v", r)
		}
	}
	want := map[int64]runlog.Status{dead.ID: runlog.Lost, other.ID: runlog.Running, next.ID: runlog.Running}
	if diff := cmp.Diff(want, status); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPruneKeepsTheLastRunOfEachPipeline(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "runs.db"))
	for minute, pipeline := range []string{"a", "a", "b", "a"} {
		run := begin(t, s, pipeline, minute)
		run.Status, run.Ended = runlog.Succeeded, run.Started
		run.Streams = []runlog.Stream{{Stream: "charges"}}
		if err := errors.Join(s.Save(t.Context(), run), s.Add(t.Context(), run.ID, runlog.Entry{At: run.Started})); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Prune(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	all := runs(t, s, runlog.Filter{})
	if len(all) != 2 || all[0].ID != 4 || all[1].ID != 3 {
		t.Errorf("%d runs left, want the last of each pipeline: %+v", len(all), all)
	}
	if entries, err := s.Entries(t.Context(), 1); len(entries) != 0 || err != nil {
		t.Errorf("the entries of a pruned run are still there: %v, %v", entries, err)
	}
}

// TestUpgrade opens a file of each older version several times at once. The first to open it must upgrade it and keep its runs.
func TestUpgrade(t *testing.T) {
	for _, version := range []int{1, 2} {
		t.Run(fmt.Sprint(version), func(t *testing.T) { testUpgrade(t, version) })
	}
}

func testUpgrade(t *testing.T, version int) {
	path := filepath.Join(t.TempDir(), "runs.db")
	if err := os.WriteFile(path, ofVersion(t, version), 0o600); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			s, err := runlog.Open(context.Background(), path)
			if err == nil {
				err = s.Close()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	s := open(t, path)
	old := runs(t, s, runlog.Filter{})
	if len(old) != 1 || len(old[0].Streams) != 1 || old[0].Streams[0].Error != "An old error." {
		t.Fatalf("the runs are %+v", old)
	}
	old[0].Streams[0].Withheld, old[0].Streams[0].SetAside, old[0].Streams[0].Drift = 1, 2, &connectorv1.Drift{Examined: 3}
	if err := s.Save(t.Context(), &old[0]); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(old, runs(t, s, runlog.Filter{}), protocmp.Transform()); diff != "" {
		t.Errorf("run (-want +got):\n%s", diff)
	}
}

// ofVersion returns a file as a version of the run log created it, with one run.
func ofVersion(t *testing.T, version int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "old.db")
	s := open(t, path)
	run := begin(t, s, "acme", 0)
	run.Status, run.Ended = runlog.Succeeded, run.Started
	run.Streams = []runlog.Stream{{Stream: "charges", Error: "An old error."}}
	if err := errors.Join(s.Save(t.Context(), run), s.Close()); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err == nil {
		statements := "ALTER TABLE streams DROP COLUMN drift;"
		if version == 1 {
			statements += "ALTER TABLE streams DROP COLUMN withheld; ALTER TABLE streams DROP COLUMN set_aside;"
		}
		_, err = db.Exec(fmt.Sprintf("%s PRAGMA user_version = %d; PRAGMA wal_checkpoint(TRUNCATE)", statements, version))
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestConcurrentWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs.db")
	var all sync.WaitGroup
	for i := range 4 {
		s := open(t, path) // as another process would
		all.Go(func() {
			for range 10 {
				run := &runlog.Run{Pipeline: string(rune('a' + i)), Attempt: 1, Slot: time.Now(), Started: time.Now()}
				err := s.Begin(context.Background(), run)
				run.Status, run.Ended = runlog.Succeeded, time.Now()
				if err := errors.Join(err, s.Save(context.Background(), run)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	done := 0
	for _, r := range runs(t, open(t, path), runlog.Filter{}) {
		if r.Status == runlog.Succeeded {
			done++
		}
	}
	if done != 40 {
		t.Errorf("got %d runs, want 40", done)
	}
}

func TestOpenRefuses(t *testing.T) {
	folder := t.TempDir()
	text := filepath.Join(folder, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(folder, "foreign.db")
	db, err := sql.Open("sqlite", foreign)
	if err == nil {
		_, err = db.Exec("CREATE TABLE invoices (id TEXT)")
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		text:                                     "not a SQLite file",
		foreign:                                  "not a run log of version",
		filepath.Join(folder, "none", "runs.db"): "doesn't exist: create it",
	} {
		if s, err := runlog.Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("open %s: got %v, %v, want an error with %q", path, s, err, want)
		}
	}
	if _, err := runlog.View(t.Context(), filepath.Join(folder, "new.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
	if _, err := os.Stat(filepath.Join(folder, "new.db")); err == nil {
		t.Error("View created the file")
	}
}
