package e2e

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/all"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// soonAgain makes a client reconnect quickly after a service restarts.
var soonAgain = grpc.WithConnectParams(grpc.ConnectParams{
	Backoff: backoff.Config{BaseDelay: 10 * time.Millisecond, Multiplier: 1, MaxDelay: 10 * time.Millisecond}, MinConnectTimeout: time.Second,
})

// saveOften makes Reads send a state every ten pages, so that even lists of a few dozen objects are resumed in the middle.
var saveOften = grpc.WithChainStreamInterceptor(func(
	ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	stream, err := streamer(ctx, desc, conn, method, opts...)
	return savingOften{stream}, err
})

type savingOften struct{ grpc.ClientStream }

func (s savingOften) SendMsg(message any) error {
	if request, ok := message.(*connectorv1.ReadRequest); ok {
		request.CheckpointPolicy = everyTenPages()
	}
	return s.ClientStream.SendMsg(message)
}

func everyTenPages() *connectorv1.CheckpointPolicy {
	return &connectorv1.CheckpointPolicy{MaxPages: 10}
}

// startAt runs `serve` at an address. The caller must stop it.
func startAt(t *testing.T, address, base string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := command(t, append([]string{"serve", "--listen", address, "--allow-api-base", base}, args...)...)
	startInBackground(t, cmd, false, "", address)
	return cmd
}

// syncTo syncs streams into a file, using a client in this process.
func syncTo(t *testing.T, address, base, file string, streams []string) (*client.Report, error) {
	t.Helper()
	c, err := client.Dial(address, client.Options{DialOptions: []grpc.DialOption{soonAgain, saveOften}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	d, err := all.Kinds().Open(t.Context(), "sqlite:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	return c.Sync(t.Context(), client.SyncOptions{
		Config: configuration(t, simulatedConfig(base)), Destination: d, Selection: client.Selection{Select: streams},
		Attempts: 1000, Wait: 10 * time.Millisecond,
	})
}

// TestKilledServer kills the service at random moments during one sync, restarting it at the same address. The rows must match
// those of an undisturbed sync.
func TestKilledServer(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	t.Parallel()
	for name, signal := range map[string]os.Signal{"killed": syscall.SIGKILL, "told to end": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stripe := simulate(t, stripetest.Options{
				Objects: map[string]int{"/v1/charges": 3000, "/v1/invoices": 800, "/v1/subscriptions": 500, "*": 20},
				Latency: func(string) time.Duration { return 10 * time.Millisecond },
			})
			streams := []string{"charges", "customers", "invoice_line_items", "invoices", "subscription_items", "subscriptions"}
			folder, address := t.TempDir(), freeAddress(t)
			undisturbed, disturbed := filepath.Join(folder, "undisturbed.db"), filepath.Join(folder, "disturbed.db")
			service := startAt(t, address, stripe.URL, "--drain", "1ms")
			if _, err := syncTo(t, address, stripe.URL, undisturbed, streams); err != nil {
				t.Fatal(err)
			}

			seed := rand.Uint64()
			random := rand.New(rand.NewPCG(seed, 0))
			var ended atomic.Bool
			type result struct {
				report *client.Report
				err    error
			}
			synced := make(chan result, 1)
			go func() {
				defer ended.Store(true)
				report, err := syncTo(t, address, stripe.URL, disturbed, streams)
				synced <- result{report, err}
			}()
			kills := 0
			for longest := 200 * time.Millisecond; ; longest += longest / 8 {
				time.Sleep(time.Duration(random.Int64N(int64(longest))))
				if ended.Load() {
					break
				}
				if err := service.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				_ = service.Wait()
				kills++
				service = startAt(t, address, stripe.URL, "--drain", "1ms")
			}
			end := <-synced
			if end.err != nil {
				t.Fatalf("seed %d: after %d kills, the sync ended with %v", seed, kills, end.err)
			}
			if kills < 3 || end.report.Reads < 3 {
				t.Errorf("seed %d: only %d kills and %d Reads", seed, kills, end.report.Reads)
			}
			for _, table := range streams {
				if diff := cmp.Diff(dump(t, undisturbed, table), dump(t, disturbed, table)); diff != "" {
					t.Errorf("seed %d, after %d kills, %s differs: %s", seed, kills, table, diff)
				}
			}
			t.Logf("%d kills, %d Reads", kills, end.report.Reads)
		})
	}
}

// TestTerminatedServer terminates the service during a Read. New Reads must be refused at once, the running one must end at a
// checkpoint, and the process must exit cleanly. The rest is then read from a new service.
func TestTerminatedServer(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	stripe := simulate(t, stripetest.Options{
		Objects: map[string]int{"/v1/charges": 3000, "*": 10}, Latency: func(string) time.Duration { return 20 * time.Millisecond },
	})
	address := freeAddress(t)
	service := startAt(t, address, stripe.URL)
	request := &connectorv1.ReadRequest{
		Config: configuration(t, simulatedConfig(stripe.URL)), Streams: selectStreams("charges"),
	}
	client := dial(t, address, soonAgain)
	stream, err := client.Read(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	var all transcript
	for all.err == nil {
		m, err := stream.Recv()
		if err != nil {
			all.err = err
			break
		}
		all.messages = append(all.messages, m)
		if s := m.GetSummary(); s != nil {
			all.summary = s
		}
		if m.GetRecords() == nil || len(all.records("charges")) != len(m.GetRecords().GetRecords()) {
			continue
		}
		if err := service.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "new Reads are refused", func() bool {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			another, err := client.Read(ctx, request)
			if err == nil {
				_, err = another.Recv()
			}
			return status.Code(err) == codes.Unavailable
		})
	}
	if code := status.Code(all.err); !errors.Is(all.err, io.EOF) && code != codes.Unavailable {
		t.Errorf("the Read that ran ended with %v", all.err)
	}
	if all.summary == nil {
		t.Error("the Read that ran ended without a summary")
	}
	if err := service.Wait(); err != nil {
		t.Errorf("the service ended with %v", err)
	}
	records, state := all.covered("charges")
	if all.summary.GetHasMore() {
		startAt(t, address, stripe.URL)
		request.States = []*connectorv1.StreamState{state}
		rest := read(t, dial(t, address), request) // the first connection may still wait to be made again
		if rest.err != nil {
			t.Fatal(rest.err)
		}
		records = append(records, rest.records("charges")...)
	}
	sameRows(t, rows(records), truth(stripe, "/v1/charges"))
}
