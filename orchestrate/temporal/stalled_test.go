package temporal_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"go.temporal.io/sdk/client"

	"github.com/stripe-connector/stripe-connector/client/destination/postgres/postgrestest"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
)

// truths are the streams of a takeover, and their paths.
var truths = map[string]string{"customers": "/v1/customers", "charges": "/v1/charges"}

// takeover is a sync of 6,000 objects into PostgreSQL. Stripe stops responding before the end, until release is called.
type takeover struct {
	*testing.T
	database      *postgrestest.Server
	simulated     *stripetest.Server
	release       func()
	target, lines string
	link          *link
	first         *process
	run           client.WorkflowRun
}

// newTakeover starts a worker in a child process and the sync, and waits until the worker has committed rows.
func newTakeover(t *testing.T) *takeover {
	t.Helper()
	o := &takeover{T: t, database: postgrestest.Start(t), link: newLink(t)}
	released := make(chan struct{})
	o.release = sync.OnceFunc(func() { close(released) })
	var requests atomic.Int64
	o.simulated = stripetest.NewServer(stripetest.Options{
		Objects: map[string]int{"/v1/customers": 3000, "/v1/charges": 3000},
		Latency: func(string) time.Duration {
			if requests.Add(1) > 25 { // before all 60 pages are read
				<-released
			}
			return 0
		}})
	t.Cleanup(o.simulated.Close)
	t.Cleanup(o.release)
	o.target = serveStripe(t, o.simulated)
	o.lines = fmt.Sprintf("config: {api_key: \"${KEY}\", api_base: %q, start_date: 2020-01-01}\n    destination: %q\n    select: [customers, charges]",
		o.simulated.URL, o.database.URL("schema=shop"))
	name := strings.ToLower(t.Name())
	o.first = startChild(t, o.link.address(), o.target, "pipelines:\n  "+name+":\n    "+o.lines+"\n")
	var err error
	options := client.StartWorkflowOptions{ID: temporal.ID(name), TaskQueue: name}
	if o.run, err = server.Client.ExecuteWorkflow(t.Context(), options, temporal.WorkflowPipeline, name); err != nil {
		t.Fatal(err)
	}
	o.until("the first worker has committed rows", func() bool { return o.ask("SELECT 'yes' FROM customers LIMIT 1") == "yes" })
	return o
}

func (o *takeover) until(what string, is func() bool) {
	o.Helper()
	(&world{T: o.T}).until(what, is)
}

// ask returns the answer of the database, or "" if a table doesn't exist.
func (o *takeover) ask(query string) string {
	o.Helper()
	conn, err := pgx.Connect(o.Context(), o.database.URL("search_path=shop"))
	if err != nil {
		o.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(o.Context()))
	var text string
	if err := conn.QueryRow(o.Context(), query).Scan(&text); err != nil {
		return ""
	}
	return text
}

// finish starts another worker, and checks that it finishes the sync with the rows that Stripe has.
func (o *takeover) finish() temporal.Result {
	o.Helper()
	o.release()
	second := newWorld(o.T, dialService(o.T, o.target), o.lines, func(o *temporal.Options) { o.HeartbeatTimeout = childTimeout })
	var result temporal.Result
	if err := o.run.Get(o.Context(), &result); err != nil || result.Status != temporal.StatusSucceeded {
		second.Fatalf("got %+v, %v, want that the second worker finishes", result, err)
	}
	for stream, path := range truths {
		var want []string
		for id := range o.simulated.Truth(path) {
			want = append(want, id)
		}
		if diff := cmp.Diff(sorted(want), sorted(strings.Fields(o.ask("SELECT string_agg(id, ' ') FROM "+stream)))); diff != "" {
			o.Errorf("%s (-want +got):\n%s", stream, diff)
		}
	}
	return result
}

// TestStalledWorker suspends a worker in the middle of a sync, and disconnects it from Temporal. Another one must notice, take over
// and finish. When the first one wakes up, only the destination can stop it.
func TestStalledWorker(t *testing.T) {
	t.Parallel()
	o := newTakeover(t)
	o.first.signal(syscall.SIGSTOP)
	o.link.cut() // as Temporal does after a while
	if n := o.ask("SELECT count(*)::text FROM customers"); n == "3000" {
		t.Fatal("the first worker had finished already")
	}
	o.finish()
	const everything = `SELECT md5((SELECT string_agg(t::text, ',' ORDER BY id) FROM customers AS t) || (SELECT string_agg(t::text, ',' ORDER BY id) FROM charges AS t) ||
		(SELECT string_agg(t::text, ',' ORDER BY stream) FROM _stripe_connector_state AS t) || (SELECT string_agg(active::text, ',') FROM _stripe_connector_fence))`
	before := o.ask(everything)
	o.first.signal(syscall.SIGCONT)
	if ended := o.first.said(); !strings.Contains(ended, "superseded") {
		t.Errorf("the first worker said %q, want that its sync was superseded", ended)
	}
	if after := o.ask(everything); before == "" || after != before {
		t.Errorf("the rows, the states or the token changed after the first worker woke up")
	}
}

// TestKilledWorker kills a worker in the middle of a sync. Another one must resume from the last state that it has committed.
func TestKilledWorker(t *testing.T) {
	t.Parallel()
	o := newTakeover(t)
	o.first.signal(syscall.SIGKILL)
	_ = o.first.cmd.Wait()
	o.until("its session has ended, with the transaction that it may have sent", func() bool {
		return o.ask("SELECT count(*)::text FROM pg_stat_activity WHERE application_name LIKE 'stripe-connector%'") == "0"
	})
	committed := map[string]int64{}
	for stream := range truths {
		n, err := strconv.ParseInt(o.ask("SELECT count(*)::text FROM "+stream), 10, 64)
		if err != nil && o.ask("SELECT to_regclass('"+stream+"')::text") != "" {
			t.Fatal(err)
		}
		committed[stream] = n
	}
	result := o.finish()
	for stream, before := range committed {
		if after := result.Streams[stream].Loaded; before+after != 3000 {
			t.Errorf("%s: %d rows before the worker was killed, %d loaded afterwards, want 3000 in total", stream, before, after)
		}
	}
}
