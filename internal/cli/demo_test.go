package cli

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest/business"
)

func TestSync(t *testing.T) {
	for name, terminal := range map[string]bool{"lines": false, "screen": true} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "fruit.db")
			w := newWorld(t, fakeSource{})
			w.terminal = terminal
			w.environment["STRIPE_API_KEY"] = plantedKey
			w.environment["STRIPE_CONNECTOR_TO"] = "sqlite:" + path
			w.runs(t, exitOK, "sync")
			for _, line := range []string{
				"STREAM  STATUS    UPSERTS  DELETES   SIZE  SECONDS\n",
				"\napples  complete        3        0   69 B ",
				"\ntotal   complete        6        0  135 B ",
			} {
				says(t, w.out, line)
			}
			says(t, w.err, "warning: apples: Re-read.")
			if !terminal {
				verbose := newWorld(t, fakeSource{})
				verbose.environment = w.environment
				verbose.runs(t, exitOK, "sync", "--verbose")
				says(t, verbose.err, " records, 0 of 25 requests/s, 50 %, 2 requests")
				says(t, verbose.err, "pears: complete, 3 records")
			}
			answer, err := ask(t.Context(), path, "SELECT id, n FROM apples ORDER BY n DESC LIMIT 1")
			if err != nil || answer != "id        n\napples_2  2\n" {
				t.Errorf("got %q, %v", answer, err)
			}
		})
	}
}

func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("reads a whole company; other tests sync concurrently, too")
	}
	path := filepath.Join(t.TempDir(), "demo.db")
	w := newWorld(t, nil)
	w.runs(t, exitOK, "demo", "--to", "sqlite:"+path)
	for _, q := range questions() {
		says(t, w.out, q.words)
		answer, err := ask(t.Context(), path, q.sql)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(answer, "\n") < 3 {
			t.Errorf("%s\nis answered with too little: %s", q.words, answer)
		}
	}
	for _, s := range comparedSums {
		says(t, w.out, "\n"+s.words+" ")
		if cents, err := number(t.Context(), path, s.sql); err != nil || cents <= 0 {
			t.Errorf("%s: got %d, %v", s.words, cents, err)
		}
	}
	if maximum, lines := 90, strings.Count(w.out.String(), "\n"); lines > maximum {
		t.Errorf("the demo prints %d lines, want at most %d:\n%s", lines, maximum, w.out)
	}
	if err := claim(t.Context(), path); err != nil {
		t.Errorf("the demo does not know its own file again: %v", err)
	}
	if n, err := number(t.Context(), path, "SELECT count(*) FROM sqlite_schema"); err != nil || n != 0 {
		t.Errorf("the file of the last demo is still there: %d tables, %v", n, err)
	}
}

// TestDemoFindsDifferences has tables that differ from the books.
func TestDemoFindsDifferences(t *testing.T) {
	path := filepath.Join(t.TempDir(), "demo.db")
	w := newWorld(t, nil)
	company, err := business.New(business.Options{Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer company.Close()
	if err := withDatabase(path, func(db *sql.DB) error {
		_, err := db.ExecContext(t.Context(), `CREATE TABLE payouts (amount, status); INSERT INTO payouts VALUES (1, 'paid');
CREATE TABLE balance_transactions (amount, fee, type); CREATE TABLE subscriptions (id, status);
CREATE TABLE subscription_items (subscription, price, quantity)`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := w.compareBooks(t.Context(), path, company); err == nil || !strings.Contains(err.Error(), "Paid out to the bank: the tables say 0.01") {
		t.Errorf("got %v", err)
	}
}

// TestDemoLive waits for changes to arrive.
func TestDemoLive(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := newWorld(t, nil)
	ended := make(chan int, 1)
	go func() {
		ended <- w.run(ctx, []string{"demo", "--live", "--quiet", "--to", "sqlite:" + filepath.Join(t.TempDir(), "demo.db")})
	}()
	until(t, "rows of a change have arrived", func() bool {
		_, live, found := strings.Cut(w.out.String(), "\nLive until Ctrl-C")
		return found && strings.Contains(live, "→ ")
	})
	cancel()
	if code := <-ended; code != exitOK {
		t.Errorf("exited with %d: %s", code, w.err)
	}
}

func TestDemoKeepsOtherFiles(t *testing.T) {
	w := newWorld(t, nil)
	text := write(t, "stripe.db", "precious")
	w.runs(t, exitFailure, "demo", "--to", "sqlite:"+text)
	says(t, w.err, "was not created by the demo: choose another file with --to")
	if content, err := os.ReadFile(text); err != nil || string(content) != "precious" {
		t.Errorf("the file now holds %q, %v", content, err)
	}
	w.runs(t, exitFailure, "demo", "--to", "sqlite:"+filepath.Dir(text))
	says(t, w.err, "is a folder")
}

func TestDemoUsage(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"destination":    {[]string{"demo", "--to", "jsonl:x"}, "--to must be a SQLite file"},
		"takes no scale": {[]string{"demo", "--scale", "2"}, "unknown flag: --scale"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, fakeSource{})
			w.runs(t, exitUsage, test.args...)
			says(t, w.err, test.want)
		})
	}
}
