package cli

import (
	"database/sql"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stripe-connector/stripe-connector/client"
	loads "github.com/stripe-connector/stripe-connector/client/report"
	"github.com/stripe-connector/stripe-connector/client/runlog"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// synced returns a world with a simulated Stripe whose clock the test sets, and the flags of its configuration and of a database
// that the given streams were synced into.
func synced(t *testing.T, streams string, objects map[string]int) (w *world, server *stripetest.Server, clock *time.Time, flags []string, path string) {
	t.Helper()
	now := time.Now().Truncate(time.Second)
	server = stripetest.NewServer(stripetest.Options{
		Objects: objects, Accounts: -1, Start: now.AddDate(0, 0, -20), End: now.AddDate(0, 0, -1), Now: func() time.Time { return now },
	})
	t.Cleanup(server.Close)
	w = newWorld(t, stripe.New(stripe.Options{AllowedAPIBases: []string{server.URL}, Now: func() time.Time { return now }}))
	path = filepath.Join(t.TempDir(), "stripe.db")
	flags = []string{"--config", write(t, "config.json", simulatedConfig(server.URL, "off")), "--to", "sqlite:" + path, "--select", streams}
	w.runs(t, exitOK, append([]string{"sync"}, flags...)...)
	now = now.Add(time.Minute)
	w.out.buffer.Reset()
	return w, server, &now, flags, path
}

// change runs statements in a database.
func change(t *testing.T, path string, statements ...string) {
	t.Helper()
	if err := withDatabase(path, func(db *sql.DB) error {
		for _, statement := range statements {
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// newest returns the ids of the newest objects of a list, newest first.
func newest(t *testing.T, path, table string, n int) []string {
	t.Helper()
	var ids []string
	if err := withDatabase(path, func(db *sql.DB) error {
		rows, err := db.QueryContext(t.Context(), "SELECT id FROM "+table+" ORDER BY created DESC, id LIMIT ?", n)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			ids = append(ids, "")
			if err := rows.Scan(&ids[len(ids)-1]); err != nil {
				return err
			}
		}
		return rows.Err()
	}); err != nil || len(ids) < n {
		t.Fatalf("%d rows: %v", len(ids), err)
	}
	return ids
}

// TestVerify compares a database with Stripe: as it was synced, after a change at Stripe, which is no difference, and after
// someone changed rows.
func TestVerify(t *testing.T) {
	w, server, clock, flags, path := synced(t, "charges,customers,coupons", map[string]int{"*": 0, "/v1/charges": 250, "/v1/customers": 30, "/v1/coupons": 5})
	verify := func(want int, more ...string) {
		t.Helper()
		w.out.buffer.Reset()
		w.err.buffer.Reset()
		w.runs(t, want, append(append([]string{"verify", "--settle", "1ms"}, flags...), more...)...)
	}
	verify(exitOK)
	says(t, w.out, "3 of 3 streams agree with Stripe.\n")
	says(t, w.out, "charges     250   all 250        0          0\n")
	ids := newest(t, path, "charges", 4)
	if err := server.Update(ids[0]); err != nil {
		t.Fatal(err)
	}
	*clock = clock.Add(time.Minute)
	verify(exitOK, "--sample", "100")
	says(t, w.out, "3 of 3 streams agree with Stripe.\n")
	says(t, w.out, "charges     250       100        0          0\n")

	change(t, path, "DELETE FROM charges WHERE id = '"+ids[1]+"'", "UPDATE charges SET amount = amount + 1 WHERE id = '"+ids[2]+"'",
		"UPDATE charges SET currency = 'xyz' WHERE id = '"+ids[3]+"'",
		"CREATE TEMP TABLE extra AS SELECT * FROM coupons LIMIT 1", "UPDATE extra SET id = 'another'", "INSERT INTO coupons SELECT * FROM extra")
	verify(exitFailure, "--all")
	says(t, w.out, "charges     249   all 250        1          2\n")
	says(t, w.out, "coupons       6     all 5        0          0\n")
	says(t, w.out, "charges: missing "+ids[1]+", different ")
	says(t, w.out, "coupons: 1 row more than Stripe has objects.\n")
	says(t, w.out, "1 of 3 streams agrees with Stripe.\n")
	says(t, w.err, "these streams differ from Stripe, or could not be compared: charges, coupons")
	verify(exitFailure, "--format", "json")
	says(t, w.out, `"missing": [`)

	w.runs(t, exitOK, append([]string{"reread", "charges", "coupons"}, flags[:4]...)...)
	verify(exitOK, "--all")
	w.runs(t, exitUsage, append([]string{"verify", "--sample", "0"}, flags...)...)
	w.runs(t, exitFailure, "verify", "--config", flags[1], "--to", "jsonl:"+t.TempDir())
	says(t, w.err, "can't be compared")
}

// TestSyncReconciles changes objects at Stripe without an event. A plain sync doesn't notice, but one with --reconcile repairs the
// rows and reports it.
func TestSyncReconciles(t *testing.T) {
	w, server, clock, flags, path := synced(t, "charges", map[string]int{"*": 0, "/v1/charges": 60})
	id := newest(t, path, "charges", 20)[19]
	if err := server.Silent().Update(id); err != nil {
		t.Fatal(err)
	}
	verify := append([]string{"verify", "--settle", "1ms"}, flags...)
	*clock = clock.Add(time.Hour)
	w.runs(t, exitOK, append([]string{"sync"}, flags...)...)
	w.runs(t, exitFailure, verify...)
	says(t, w.out, "different "+id)
	*clock = clock.Add(time.Minute)
	w.out.buffer.Reset()
	w.runs(t, exitOK, append([]string{"sync", "--reconcile"}, flags...)...)
	says(t, w.out, "charges: compared 60 records with Stripe and repaired 0 missing, 1 stale and 0")
	w.runs(t, exitOK, verify...)
}

// TestTextFits checks that reports, plans and statuses fit in 80 columns, whatever the names and messages.
func TestTextFits(t *testing.T) {
	long := strings.Repeat("The API key can't read this: grant it the permission rak_something_read in the Dashboard. ", 4)
	failure := &connectorv1.Failure{Message: long + "https://dashboard.stripe.com/" + strings.Repeat("x", 30)}
	report := &client.Report{}
	var all []client.Verification
	for _, name := range table.Costly() {
		s := client.StreamReport{Stream: name, Account: "acct_1NxYzAbCdEfGhIjK", Status: complete, Upserts: 123_456_789, Deletes: 1_234_567, Bytes: 1 << 40, Duration: 99 * time.Hour}
		report.Streams = append(report.Streams, s)
		s.Status, s.Failure, s.SetAsideTotal = connectorv1.StreamStatus_STREAM_STATUS_INCOMPLETE, failure, 3
		s.SetAside = []*connectorv1.SetAside{{Key: "lines of in_1NxYzAbCdEfGhIjKlMnOpQrS", Failure: failure}}
		report.Streams = append(report.Streams, s)
		all = append(all, client.Verification{Stream: name, Synced: true, Rows: 123_456_789, Objects: 123_456_789, Complete: true,
			Missing: slices.Repeat([]string{"in_1NxYzAbCdEfGhIjKlMnOpQrS of acct_1NxYzAbCdEfGhIjK"}, 10), Failure: failure})
	}
	now := time.Now()
	status := []pipelineStatus{{Pipeline: "a_pipeline_with_a_long_name", Schedule: "at 00:00, 06:00, 12:00 and 18:00 in Europe/Berlin", Last: "succeeded", LastSuccess: now, Next: now,
		Streams: []streamStatus{{Stream: "billing_meter_event_summaries", Account: "acct_1NxYzAbCdEfGhIjK", Status: "incomplete", Rows: 123_456_789, FreshAt: now, Error: long}}}}
	w := newWorld(t, nil)
	w.environment["STRIPE_API_KEY"] = plantedKey
	w.runs(t, exitOK, "sync", "--plan", "--select", "*")
	plan := w.out.String()
	w.out.buffer.Reset()
	w.runs(t, exitOK, "sync", "--plan", "--select", "charges")
	runs := []runlog.Run{{ID: 123_456, Pipeline: "a_pipeline_with_a_long_name", Status: runlog.Failed, Started: now, Ended: now.Add(99 * time.Hour), Requests: 1_234_567, Error: long, Slot: now}}
	for _, s := range report.Streams {
		runs[0].Streams = append(runs[0].Streams, runlog.Stream{Stream: s.Stream, Account: s.Account, Status: "incomplete", Extracted: 123_456_789, Loaded: 123_456_789, Deleted: 12_345, Bytes: 1 << 40, Watermark: now, Error: long})
	}
	for name, text := range map[string]string{
		"runs": runsTable(runs, now), "log": logText(runs[0], nil, now), "runs report": loadingTable(loads.New(runs, now, now)),
		"report": reportTable(report), "plan": plan, "short plan": w.out.String(), "status": statusText(status, now), "verification": verificationTable(all),
	} {
		for line := range strings.Lines(text) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > textWidth {
				t.Errorf("%s: %d columns: %s", name, n, line)
			}
		}
		if strings.Count(text, "\n") < 3 {
			t.Errorf("%s: %q", name, text)
		}
	}
}
