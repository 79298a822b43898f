package e2e

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // makes clients avoid a replica that is draining
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/all"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// balanced is the gRPC configuration of a client of several replicas: round robin among those that report that they serve.
const balanced = `{
	"loadBalancingConfig": [{"round_robin": {}}],
	"healthCheckConfig": {"serviceName": "connector.v1.ConnectorService"}
}`

// TestRollingRestart restarts three replicas in turn, with SIGTERM, during syncs. No sync may fail, no call may be interrupted,
// and the rows must match the truth.
func TestRollingRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	t.Parallel()
	const replicas, syncs = 3, 4
	stripe := simulate(t, stripetest.Options{
		Objects: map[string]int{"/v1/charges": 4000, "/v1/invoices": 800, "*": 20},
		Latency: func(string) time.Duration { return 20 * time.Millisecond },
	})
	streams := []string{"charges", "customers", "invoice_line_items", "invoices"}
	folder := t.TempDir()
	undisturbed := filepath.Join(folder, "undisturbed.db")
	var addresses []string
	start := func(i int) *process {
		cmd := startAt(t, addresses[i], stripe.URL)
		return &process{Cmd: cmd, address: addresses[i]}
	}
	var processes []*process
	for i := range replicas {
		addresses = append(addresses, freeAddress(t))
		processes = append(processes, start(i))
	}
	if _, err := syncTo(t, addresses[0], stripe.URL, undisturbed, streams); err != nil {
		t.Fatal(err)
	}
	for path, table := range map[string]string{"/v1/charges": "charges", "/v1/invoices": "invoices"} {
		if got, want := len(dump(t, undisturbed, table)), len(truth(stripe, path)); got != want {
			t.Errorf("the undisturbed sync has %d %s, want %d", got, table, want)
		}
	}

	fields := simulatedConfig(stripe.URL)
	fields["max_requests_per_second"] = 25
	reports := make([]*client.Report, syncs)
	var running errgroup.Group
	for i := range syncs {
		running.Go(func() error {
			targets := manual.NewBuilderWithScheme(fmt.Sprintf("replicas%d", i))
			var state resolver.State
			for _, address := range addresses {
				state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: address}}})
			}
			targets.InitialState(state)
			c, err := client.Dial(targets.Scheme()+":///all", client.Options{
				Credentials: insecure.NewCredentials(),
				DialOptions: []grpc.DialOption{
					soonAgain, saveOften, grpc.WithResolvers(targets), grpc.WithDefaultServiceConfig(balanced),
				},
			})
			if err != nil {
				return err
			}
			defer c.Close()
			d, err := all.Kinds().Open(t.Context(), "sqlite:"+filepath.Join(folder, fmt.Sprintf("%d.db", i)))
			if err != nil {
				return err
			}
			defer d.Close()
			reports[i], err = c.Sync(t.Context(), client.SyncOptions{
				Config: configuration(t, fields), Destination: d, Selection: client.Selection{Select: streams},
				Wait: 10 * time.Millisecond,
			})
			return err
		})
	}
	ended := make(chan error, 1)
	go func() { ended <- running.Wait() }()

	for i := range replicas {
		time.Sleep(300 * time.Millisecond)
		select {
		case err := <-ended:
			t.Fatalf("the syncs ended before replica %d was restarted: %v", i, err)
		default:
		}
		if err := processes[i].Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := processes[i].Wait(); err != nil {
			t.Errorf("replica %d ended with %v, so it cut calls off", i, err)
		}
		processes[i] = start(i)
	}
	if err := <-ended; err != nil {
		t.Fatalf("a sync failed: %v", err)
	}
	reads := 0
	for i := range syncs {
		reads += reports[i].Reads
		for _, table := range streams {
			if diff := cmp.Diff(dump(t, undisturbed, table), dump(t, filepath.Join(folder, fmt.Sprintf("%d.db", i)), table)); diff != "" {
				t.Errorf("sync %d: %s differs: %s", i, table, diff)
			}
		}
	}
	if reads <= syncs {
		t.Errorf("%d syncs made %d Reads: no restart disturbed them", syncs, reads)
	}
	t.Logf("%d syncs, %d Reads over %d restarts", syncs, reads, replicas)
}
