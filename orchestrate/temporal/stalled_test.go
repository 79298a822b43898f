package temporal_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"go.temporal.io/sdk/client"

	connector "github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/all"
	"github.com/stripe-connector/stripe-connector/client/destination/postgres/postgrestest"
	"github.com/stripe-connector/stripe-connector/client/pipeline"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
)

// childSettings is an environment variable that makes the test binary run a worker. Its value is a JSON object.
const childSettings = "STRIPE_CONNECTOR_TEST_WORKER"

// childWorker are the settings of a worker in a child process.
type childWorker struct{ Address, Namespace, Queue, Target, Content string }

const stalledTimeout = 3 * time.Second // of heartbeats

const syncEnded = "a sync ended: "

// child runs a worker until its standard input ends, prints how each sync ends, and returns the exit code.
func child(settings string) int {
	err := func() error {
		var c childWorker
		if err := json.Unmarshal([]byte(settings), &c); err != nil {
			return err
		}
		file, err := pipeline.Parse("pipelines.yaml", []byte(c.Content))
		if err != nil {
			return err
		}
		t, err := client.Dial(client.Options{HostPort: c.Address, Namespace: c.Namespace})
		if err != nil {
			return err
		}
		defer t.Close()
		service, err := connector.Dial(c.Target, connector.Options{})
		if err != nil {
			return err
		}
		defer service.Close()
		w := temporal.NewWorker(t, c.Namespace, temporal.Options{
			File: file, Destinations: all.Kinds(), TaskQueue: c.Queue, HeartbeatTimeout: stalledTimeout,
			Getenv: func(string) string { return plantedKey },
			Service: wrapped{service, func(err error) error {
				fmt.Printf("%s%v\n", syncEnded, err)
				return err
			}},
		})
		if err := w.Start(); err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, os.Stdin)
		w.Stop()
		return nil
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// TestStalledWorker suspends a worker in the middle of a sync. Another one must notice, take over and finish. When the first one
// wakes up, it must not change anything.
func TestStalledWorker(t *testing.T) {
	t.Parallel()
	database := postgrestest.Start(t)
	var stuck atomic.Bool
	stuck.Store(true)
	var requests atomic.Int64
	objects := map[string]int{"/v1/customers": 3000, "/v1/charges": 3000}
	simulated := stripetest.NewServer(stripetest.Options{Objects: objects, Latency: func(string) time.Duration {
		if requests.Add(1) > 25 && stuck.Load() { // before all 60 pages are read
			return time.Hour
		}
		return 0
	}})
	t.Cleanup(simulated.Close)
	target := serveStripe(t, simulated)
	lines := fmt.Sprintf("config: {api_key: \"${KEY}\", api_base: %q, start_date: 2020-01-01}\n    destination: %q\n    select: [customers, charges]",
		simulated.URL, database.URL("schema=stalled"))
	name := strings.ToLower(t.Name())
	settings, err := json.Marshal(childWorker{server.Address, server.Namespace, name, target, "pipelines:\n  " + name + ":\n    " + lines + "\n"})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), childSettings+"="+string(settings)), os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	options := client.StartWorkflowOptions{ID: temporal.ID(name), TaskQueue: name,
		WorkflowTaskTimeout: 2 * time.Second} // the stalled worker still receives tasks
	run, err := server.Client.ExecuteWorkflow(t.Context(), options, temporal.WorkflowPipeline, name)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t}
	ask := func(query string) string {
		conn, err := pgx.Connect(t.Context(), database.URL("search_path=stalled"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.WithoutCancel(t.Context()))
		var text string
		if err := conn.QueryRow(t.Context(), query).Scan(&text); err != nil {
			return "" // doesn't exist yet
		}
		return text
	}
	w.until("the first worker has committed rows", func() bool { return ask("SELECT 'yes' FROM customers LIMIT 1") == "yes" })
	signal(t, cmd, syscall.SIGSTOP)
	stuck.Store(false)
	if n := ask("SELECT count(*)::text FROM customers"); n == "3000" {
		t.Fatal("the first worker had finished already")
	}

	second := newWorld(t, dialService(t, target), lines, func(o *temporal.Options) { o.HeartbeatTimeout = stalledTimeout })
	if got := second.result(run); got != temporal.StatusSucceeded {
		t.Fatalf("got %q, want %q", got, temporal.StatusSucceeded)
	}
	for stream, path := range map[string]string{"customers": "/v1/customers", "charges": "/v1/charges"} {
		var want []string
		for id := range simulated.Truth(path) {
			want = append(want, id)
		}
		if diff := cmp.Diff(sorted(want), sorted(strings.Fields(ask("SELECT string_agg(id, ' ') FROM "+stream)))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", stream, diff)
		}
	}
	const everything = `SELECT md5((SELECT string_agg(t::text, ',' ORDER BY id) FROM customers AS t) || (SELECT string_agg(t::text, ',' ORDER BY id) FROM charges AS t) ||
		(SELECT string_agg(t::text, ',' ORDER BY stream) FROM _stripe_connector_state AS t) || (SELECT string_agg(active::text, ',') FROM _stripe_connector_fence))`
	before := ask(everything)
	signal(t, cmd, syscall.SIGCONT)
	line := ""
	for said := bufio.NewScanner(stdout); !strings.HasPrefix(line, syncEnded) && said.Scan(); {
		line = said.Text() // Temporal's client logs, too
	}
	if !strings.Contains(line, "superseded") && !strings.Contains(line, "context canceled") {
		t.Errorf("the first worker said %q, want that its sync was superseded", line)
	}
	t.Log(line)
	_ = stdin.Close() // ends the worker, after its activities
	_ = cmd.Wait()
	if after := ask(everything); before == "" || after != before {
		t.Errorf("the rows, the states or the token changed after the first worker woke up")
	}
}

func signal(t *testing.T, cmd *exec.Cmd, s os.Signal) {
	t.Helper()
	if err := cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}
