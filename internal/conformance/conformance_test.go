package conformance

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

var matrix = flag.Bool("matrix", false, "run all scenarios with each broken client")

// settle waits until the client has stored a state of customers.
func settle(folder string) {
	for range 3000 {
		if s, err := openStore(folder); err == nil && s.States[customers] != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// childVariable makes the test binary be a client.
const childVariable = "CONFORMANCE_TEST_CHILD"

// TestMain runs the tests or, in a child process, the simple client.
func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		goleak.VerifyTestMain(m)
		return
	}
	setup := Setup{
		Target: os.Getenv("STRIPE_CONNECTOR_TARGET"), Config: os.Getenv("STRIPE_CONNECTOR_CONFIG"),
		Folder: os.Getenv("STRIPE_CONNECTOR_FOLDER"),
	}
	if err := newSimple("")(context.Background(), setup); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// certify returns the names of the scenarios that a client fails.
func certify(t *testing.T, client Client, o Options) (failed []string) {
	t.Helper()
	o.RetryAfter = 700 * time.Millisecond // longer than the usual back-off
	results, err := Run(t.Context(), client, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Err != nil {
			t.Logf("%s: %v", r.Scenario, r.Err)
			failed = append(failed, r.Scenario)
		}
	}
	return failed
}

func TestCorrectClientsPass(t *testing.T) {
	t.Run("package client", func(t *testing.T) {
		t.Parallel()
		atOnce := func(string) {} // it commits later than settle would wait for
		if failed := certify(t, ours, Options{settle: atOnce}); len(failed) > 0 {
			t.Errorf("failed: %q", failed)
		}
	})
	t.Run("simple", func(t *testing.T) {
		if testing.Short() {
			t.Skip("it is sequential")
		}
		t.Parallel()
		if failed := certify(t, newSimple(""), Options{settle: settle}); len(failed) > 0 {
			t.Errorf("failed: %q", failed)
		}
	})
}

// TestCommand runs a client in a process of its own, started by a shell, which must be killed together.
func TestCommand(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no shell")
	}
	t.Setenv(childVariable, "1")
	client := Command("sh", "-c", `"$0"; exit $?`, os.Args[0])
	o := Options{settle: settle, Only: []string{"kill", "failed-stream"}}
	if failed := certify(t, client, o); len(failed) > 0 {
		t.Errorf("failed: %q", failed)
	}
}

func TestCommandsThatCannotRun(t *testing.T) {
	if results, err := Run(t.Context(), Command("/nowhere/client"), Options{}); err == nil {
		t.Errorf("got results: %v", results)
	}
}

// TestWrongOutput checks what is said about rows that can't be compared.
func TestWrongOutput(t *testing.T) {
	for name, test := range map[string]struct{ lines, want string }{
		"not JSON":      {"{", `customers.jsonl line 1: not a JSON object: "{"`},
		"no key":        {`{"a":1}`, `customers.jsonl line 1: has no id, which is in the primary key: "{\"a\":1}"`},
		"twice":         {"{\"id\":1}\n\n{\"id\":1}", "customers.jsonl line 3: a second row with the primary key 1"},
		"rounded":       {`{"id":"a","n":9007199254740992}`, "customers: 1 of 2 rows missing: b; customers: 1 of 2 rows stale or changed: a"},
		"another order": {"{\"n\":9007199254740993,\"id\":\"a\"}\n{\"n\":12e-1,\"id\":\"b\"}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, "customers.jsonl"), []byte(test.lines), 0o600); err != nil {
				t.Fatal(err)
			}
			keys := map[string][]string{customers: {"id"}}
			got, err := load(folder, keys)
			said := differences(rows{customers: {"a": `{"id":"a","n":9007199254740993}`, "b": `{"id":"b","n":1.2}`}}, got)
			if err != nil {
				said = err.Error()
			}
			if said != test.want {
				t.Errorf("got %q, want %q", said, test.want)
			}
		})
	}
}

// TestBrokenClients checks that each bug is found by the scenarios that look for it, and by no others.
func TestBrokenClients(t *testing.T) {
	if testing.Short() {
		t.Skip("the clients are sequential, and what they call is tested with others")
	}
	for b, want := range map[bug][]string{
		dropsRecords:     {"backfill"},
		restarts:         {"resume"},
		givesUp:          {"broken-connection"},
		trustsStatus:     {"no-summary"},
		ignoresMore:      {"work-left"},
		statesFirst:      {"kill"},
		losesStates:      {"changes", "delete-matching"},
		ignoresDeletes:   {"changes"},
		ignoresMatching:  {"delete-matching"},
		deletesLast:      {"delete-matching"},
		keepsGenerations: {"generation"},
		prunesAlways:     {"failed-stream"},
		hidesFailures:    {"failed-stream"},
		stopsAtFailure:   {"failed-stream"},
		failsAtSkipped:   {"skipped-stream"},
		retriesAll:       {"refused"},
		goesByCode:       {"retry"},
		hurries:          {"retry"},
	} {
		t.Run(string(b), func(t *testing.T) {
			t.Parallel()
			o := Options{settle: settle}
			if !*matrix {
				o.Only = want
			}
			if diff := cmp.Diff(want, certify(t, newSimple(b), o)); diff != "" {
				t.Errorf("failed scenarios (-want +got):\n%s", diff)
			}
		})
	}
}
