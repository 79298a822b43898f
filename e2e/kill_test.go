package e2e

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite" // the driver of the destination's files

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// TestKilledSync kills a sync at random moments and runs it again until it comes to its end: the rows are those of an
// undisturbed sync.
func TestKilledSync(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	stripe := simulate(t, stripetest.Options{
		Objects: map[string]int{"/v1/charges": 3000, "/v1/invoices": 1500, "/v1/subscriptions": 800, "*": 20},
		Latency: func(string) time.Duration { return 3 * time.Millisecond },
	})
	config := writeConfig(t, stripe.URL)
	streams := "charges,customers,invoice_line_items,invoices,subscription_items,subscriptions"
	folder := t.TempDir()
	undisturbed, killed := filepath.Join(folder, "undisturbed.db"), filepath.Join(folder, "killed.db")
	sync := func(file string) *exec.Cmd {
		return command(t, "sync", "--config", config, "--streams", streams, "--to", "sqlite:"+file)
	}
	if out, err := sync(undisturbed).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	kills := 0
	for longest := 200 * time.Millisecond; ; longest += longest / 20 {
		cmd := sync(killed)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(random.Int64N(int64(longest))), func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		timer.Stop()
		if err == nil {
			break
		}
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != -1 {
			t.Fatalf("seed %d: a sync that was not killed ended with %v", seed, err)
		}
		kills++
	}
	if kills < 3 {
		t.Errorf("seed %d: only %d kills", seed, kills)
	}
	for table := range strings.SplitSeq(streams, ",") {
		if diff := cmp.Diff(dump(t, undisturbed, table), dump(t, killed, table)); diff != "" {
			t.Errorf("seed %d, after %d kills, %s differs: %s", seed, kills, table, diff)
		}
	}
	t.Logf("%d kills", kills)
}

// dump gives the rows of a table, in order of their keys, without what differs from one Read to the next.
func dump(t *testing.T, file, table string) []string {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT * FROM " + table + " ORDER BY 1, 2") //nolint:gosec // the table's name is ours
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
			if column != "_as_of" {
				fmt.Fprintf(&row, "%s=%v ", column, *values[i].(*any))
			}
		}
		all = append(all, row.String())
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatalf("%s of %s is empty", table, file)
	}
	return all
}
