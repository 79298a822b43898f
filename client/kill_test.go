package client_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/all"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Environment variables of the child processes of TestKill.
const (
	childTarget      = "STRIPE_CONNECTOR_TEST_TARGET"
	childDestination = "STRIPE_CONNECTOR_TEST_DESTINATION"
)

// child runs one sync and returns the exit code.
func child(target, to string) int {
	ctx := context.Background()
	d, err := all.Kinds().Open(ctx, to)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	c, err := client.Dial(target, client.Options{})
	if err == nil {
		_, err = c.Sync(ctx, client.SyncOptions{Destination: d})
	}
	if err = errors.Join(err, d.Close()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// TestKill runs a sync in child processes, which it kills at random moments until one completes. Then it compares the
// rows with the truth.
func TestKill(t *testing.T) {
	const records, page = 4000, 40
	f := &fakeService{streams: []string{"a", "b"}, records: records, page: page,
		before: func(int, string, int) error { time.Sleep(time.Millisecond); return nil }}
	target := serveTCP(t, f)
	folder := t.TempDir()
	tests := map[string]struct {
		to   string
		rows func(t *testing.T, stream string) map[string]string
	}{
		"sqlite": {"sqlite:" + filepath.Join(folder, "rows.db"), func(t *testing.T, stream string) map[string]string {
			return sqliteRows(t, filepath.Join(folder, "rows.db"), stream)
		}},
		"jsonl": {"jsonl:" + folder, func(t *testing.T, stream string) map[string]string {
			return lineRows(t, filepath.Join(folder, stream+".jsonl"), records)
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kills := 0
			for killed := true; killed; kills++ {
				// Wait longer each time, so that a sync also completes on a slow machine.
				killed = runAndKill(t, target, test.to, time.Duration(20+rand.IntN(100)+kills*kills)*time.Millisecond)
			}
			t.Logf("killed %d times", kills-1)
			if kills < 3 {
				t.Error("hardly ever killed: the sync is too short to prove anything")
			}
			for _, stream := range f.streams {
				if diff := cmp.Diff(truth(records), test.rows(t, stream)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", stream, diff)
				}
			}
		})
	}
}

// runAndKill runs a sync in a child process and kills it after a while. It reports false if the sync completed
// before.
func runAndKill(t *testing.T, target, to string, after time.Duration) (killed bool) {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childTarget+"="+target, childDestination+"="+to)
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	timer.Stop()
	if err != nil && stderr.Len() > 0 {
		t.Fatalf("the sync failed: %s", stderr.String())
	}
	return err != nil
}

// serveTCP serves f on a local port until the test ends.
func serveTCP(t *testing.T, f connectorv1.ConnectorServiceServer) (target string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	connectorv1.RegisterConnectorServiceServer(s, f)
	healthpb.RegisterHealthServer(s, healthy())
	done := make(chan error, 1)
	go func() { done <- s.Serve(listener) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

func sqliteRows(t *testing.T, path, stream string) map[string]string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), "SELECT id, n FROM "+stream)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]string{}
	for rows.Next() {
		var id string
		var n int
		if err := rows.Scan(&id, &n); err != nil {
			t.Fatal(err)
		}
		all[id] = fmt.Sprintf(`{"id":%q,"n":%d}`, id, n)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// lineRows returns the rows that result from the lines of a file. The number of lines must equal records.
func lineRows(t *testing.T, path string, records int) map[string]string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	if len(lines) != records {
		t.Errorf("%s has %d lines, want %d", path, len(lines), records)
	}
	rows := map[string]string{}
	for _, l := range lines {
		var line struct {
			Operation string
			Data      json.RawMessage
		}
		if err := json.Unmarshal([]byte(l), &line); err != nil {
			t.Fatal(err)
		}
		operation := connectorv1.Operation(connectorv1.Operation_value["OPERATION_"+line.Operation])
		applyRecords(rows, []*connectorv1.Record{{Operation: operation, Data: string(line.Data)}})
	}
	return rows
}
