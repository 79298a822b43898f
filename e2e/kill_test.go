package e2e

import (
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib" // the PostgreSQL driver
	_ "modernc.org/sqlite"             // the driver for the destination's files

	"github.com/stripe-connector/stripe-connector/client/destination/postgres/postgrestest"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// kills is the number of times that TestKilledSync kills.
var kills = flag.Int("kills", 5, "how often TestKilledSync kills the syncing process, for each destination")

// place is the destination of a sync in the test, and how to inspect it.
type place struct {
	destination      string
	driver, database string
	rows             string // selects the rows of table %s as JSON with ordered members, without what differs between syncs
}

// TestKilledSync kills syncing processes, or crashes the database server, at random moments while the data changes. A final,
// undisturbed sync starts after the last change. The rows must then match the source, and those of a sync that was never
// disturbed.
func TestKilledSync(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	t.Parallel()
	const ours = "'_as_of', '_generation', '_event_id', '_synced_at'"
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		killSyncs(t, nil, func(name string) place {
			file := filepath.Join(folder, name+".db")
			return place{"sqlite:" + file, "sqlite", file, ""}
		})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		server := postgrestest.Start(t)
		killSyncs(t, func() { server.Crash(t) }, func(name string) place {
			return place{server.URL("schema=" + name), "pgx", server.URL("search_path=" + name),
				"SELECT (to_jsonb(t) - ARRAY[" + ours + "])::text FROM %s AS t"}
		})
	})
}

// tables are the Stripe lists synced by the test, by stream.
var tables = map[string]string{
	"charges": "/v1/charges", "customers": "/v1/customers", "invoices": "/v1/invoices", "coupons": "/v1/coupons",
	"invoice_line_items": "/v1/invoices/{invoice}/lines", "subscriptions": "/v1/subscriptions",
}

// killSyncs runs TestKilledSync for one destination. If crash is not nil, it crashes and restarts the server.
func killSyncs(t *testing.T, crash func(), at func(name string) place) {
	stripe := simulate(t, stripetest.Options{
		Objects: map[string]int{"/v1/charges": 1000, "/v1/invoices": 250, "/v1/subscriptions": 100, "/v1/customers": 200, "*": 20},
		Latency: func(string) time.Duration { return 3 * time.Millisecond },
	})
	config := writeConfig(t, stripe.URL)
	var streams []string
	for stream := range tables {
		streams = append(streams, stream)
	}
	slices.Sort(streams)
	sync := func(to place) *exec.Cmd {
		return command(t, "sync", "--config", config, "--select", strings.Join(streams, ","), "--to", to.destination)
	}
	undisturbed := func(to place) time.Duration {
		begun := time.Now()
		if out, err := sync(to).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return time.Since(begun)
	}
	sync(at("before")) // also builds the program, so that building it is not timed
	longest := undisturbed(at("before"))

	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	stop, stopped := make(chan struct{}), make(chan int, 1)
	go func() { stopped <- change(stripe.Account, seed, stop) }()
	killed, completed, crashed := 0, 0, 0
	for killed < *kills {
		cmd := sync(at("killed"))
		var output strings.Builder
		cmd.Stderr = &output
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		moment := time.Duration(random.Int64N(int64(longest)))
		if crash != nil && random.IntN(2) == 0 {
			time.Sleep(moment)
			crash()
			crashed++
			// A sync that had started reconnects. One that had not may find the server still starting.
			if err := cmd.Wait(); err != nil && !strings.Contains(output.String(), "open destination") {
				t.Fatalf("seed %d: a sync whose server crashed ended with %v: %s", seed, err, output.String())
			}
			continue
		}
		timer := time.AfterFunc(moment, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		timer.Stop()
		if err == nil {
			completed++
			continue
		}
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != -1 {
			t.Fatalf("seed %d: a sync that was not killed ended with %v: %s", seed, err, output.String())
		}
		killed++
	}
	close(stop)
	t.Logf("seed %d: %d kills, %d crashes of the server, %d syncs that came to their end before, %d changes", seed, killed, crashed, completed, <-stopped)

	time.Sleep(4 * time.Second) // events are found once they are two seconds old

	undisturbed(at("killed")) // finishes what the last one started, with data read before the last changes,
	undisturbed(at("killed")) // and reads the last changes
	undisturbed(at("after"))
	for stream, list := range tables {
		got := rowsOf(t, at("killed"), stream)
		if diff := cmp.Diff(rowsOf(t, at("after"), stream), got); diff != "" {
			t.Errorf("seed %d: %s differs from that of an undisturbed sync: %s", seed, stream, diff)
		}
		if n := len(slices.Collect(keys(stripe.Account, list))); n != len(got) {
			t.Errorf("seed %d: %s has %d rows, and the source %d objects", seed, stream, len(got), n)
		}
		for id := range keys(stripe.Account, list) {
			if !slices.ContainsFunc(got, func(row string) bool { return strings.Contains(row, `"id": "`+id+`"`) }) {
				t.Errorf("seed %d: %s lacks %s", seed, stream, id)
			}
		}
	}
}

func keys(a *stripetest.Account, list string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for id := range a.Truth(list) {
			if !yield(id) {
				return
			}
		}
	}
}

// change creates, updates and deletes objects until stop is closed, and returns the number of changes.
func change(a *stripetest.Account, seed uint64, stop <-chan struct{}) int {
	random := rand.New(rand.NewPCG(seed, 1))
	var ids []string
	for _, list := range []string{"/v1/charges", "/v1/customers", "/v1/coupons", "/v1/subscriptions"} {
		ids = slices.AppendSeq(ids, keys(a, list))
	}
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for changes := 0; ; {
		select {
		case <-stop:
			return changes
		case <-ticker.C:
		}
		var err error
		id := ids[random.IntN(len(ids))]
		switch drawn := random.IntN(20); {
		case drawn == 0:
			err = a.Delete(id) // fails for objects that Stripe does not delete
		case drawn < 4:
			id, err = a.Create([]string{"/v1/charges", "/v1/customers", "/v1/coupons", "/v1/invoices"}[drawn])
			ids = append(ids, id)
		default:
			err = a.Update(id)
		}
		if err == nil {
			changes++
		}
	}
}

// dump returns the rows of a table in a SQLite file, sorted.
func dump(t *testing.T, file, table string) []string {
	t.Helper()
	return rowsOf(t, place{destination: file, driver: "sqlite", database: file}, table)
}

// rowsOf returns a table's rows, sorted, without what differs between syncs.
func rowsOf(t *testing.T, at place, table string) []string {
	t.Helper()
	db, err := sql.Open(at.driver, at.database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	statement := fmt.Sprintf(at.rows, table)
	if at.rows == "" {
		statement = "SELECT * FROM " + table
	}
	rows, err := db.QueryContext(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		var row strings.Builder
		for i, column := range columns {
			value := *values[i].(*any)
			switch {
			case len(columns) == 1:
				fmt.Fprint(&row, value)
			case slices.Contains([]string{"_as_of", "_generation", "_event_id", "_synced_at"}, column):
			default:
				fmt.Fprintf(&row, "%q: %#v ", column, value)
			}
		}
		all = append(all, row.String())
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatalf("%s of %s is empty", table, at.destination)
	}
	slices.Sort(all)
	return all
}
