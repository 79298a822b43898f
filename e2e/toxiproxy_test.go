package e2e

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	// Toxiproxy disturbs real connections. Its client depends only on the standard library; its server is a separate tool.
	toxiproxy "github.com/Shopify/toxiproxy/v2/client"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/all"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

var (
	toxicRounds = flag.Int("toxics", 14, "`number` of syncs that TestToxics disturbs")
	toxicSeed   = flag.Uint64("toxics-seed", 0, "`seed` of TestToxics; 0 takes a new one")
)

// proxyServer builds Toxiproxy's server once for all tests, in the version pinned among the tools.
var proxyServer = sync.OnceValues(func() (string, error) {
	path := filepath.Join(buildDir, "toxiproxy")
	out, err := exec.Command("go", "build", "-modfile=../tools/go.mod", "-o", path,
		"github.com/Shopify/toxiproxy/v2/cmd/server").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

// startToxiproxy runs Toxiproxy on this machine until the end of the test.
func startToxiproxy(t *testing.T) *toxiproxy.Client {
	t.Helper()
	path, err := proxyServer()
	if err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	host, port, _ := strings.Cut(address, ":")
	startInBackground(t, exec.CommandContext(t.Context(), path, "-host", host, "-port", port), false, "", address)
	t.Cleanup(http.DefaultClient.CloseIdleConnections) // used by Toxiproxy's client
	return toxiproxy.NewClient(address)
}

// link is a connection that can be disturbed.
type link struct {
	*toxiproxy.Proxy
	name string
}

func newLink(t *testing.T, proxies *toxiproxy.Client, name, upstream string) link {
	t.Helper()
	proxy, err := proxies.CreateProxy(strings.ReplaceAll(t.Name(), "/", "-")+"-"+name, "127.0.0.1:0", upstream)
	if err != nil {
		t.Fatal(err)
	}
	return link{proxy, name}
}

// toxic is a kind of disturbance, as described in https://github.com/Shopify/toxiproxy#toxics.
type toxic struct {
	kind string
	// breaks means that no connection survives it, however little is sent. Resets and limits take effect only on data.
	breaks     bool
	attributes func(*rand.Rand) toxiproxy.Attributes
}

// between returns a random number in [least, most).
func between(random *rand.Rand, minimum, maximum int) int {
	return minimum + random.IntN(maximum-minimum)
}

func toxics() []toxic {
	return []toxic{
		{"latency", false, func(r *rand.Rand) toxiproxy.Attributes {
			return toxiproxy.Attributes{"latency": between(r, 5, 60), "jitter": between(r, 0, 40)}
		}},
		{"bandwidth", false, func(r *rand.Rand) toxiproxy.Attributes {
			return toxiproxy.Attributes{"rate": between(r, 50, 2000)} // KB/s
		}},
		{"slow_close", false, func(r *rand.Rand) toxiproxy.Attributes {
			return toxiproxy.Attributes{"delay": between(r, 1, 200)}
		}},
		{"slicer", false, func(r *rand.Rand) toxiproxy.Attributes {
			size := between(r, 16, 2000)
			return toxiproxy.Attributes{"average_size": size, "size_variation": size / 3, "delay": between(r, 1, 200)}
		}},
		{"timeout", true, func(r *rand.Rand) toxiproxy.Attributes {
			return toxiproxy.Attributes{"timeout": between(r, 0, 100)} // 0 means silence until it is removed
		}},
		{"reset_peer", false, func(r *rand.Rand) toxiproxy.Attributes {
			return toxiproxy.Attributes{"timeout": between(r, 0, 50)}
		}},
		{"limit_data", false, func(r *rand.Rand) toxiproxy.Attributes {
			return toxiproxy.Attributes{"bytes": between(r, 0, 20_000)}
		}},
	}
}

// TestToxics repeatedly disturbs the connections from the client to the service and from the service to Stripe during a sync.
// Each sync must complete with the rows of an undisturbed one.
//
//	go test ./e2e -run TestToxics -toxics 500 -timeout 1h
func TestToxics(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	seed := *toxicSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("repeat with -toxics-seed %d", seed)
	stripe := simulate(t, stripetest.Options{
		Objects: map[string]int{"/v1/charges": 1500, "/v1/invoices": 300, "*": 20},
		Latency: func(string) time.Duration { return 10 * time.Millisecond },
	})
	undisturbed := filepath.Join(t.TempDir(), "undisturbed.db")
	if _, err := syncTo(t, serve(t, stripe.URL, quick, io.Discard), stripe.URL, undisturbed, toxicStreams()); err != nil {
		t.Fatal(err)
	}
	proxies := startToxiproxy(t)

	random := rand.New(rand.NewPCG(seed, 0))
	kinds := toxics()
	order := random.Perm(2 * len(kinds))
	for round := range *toxicRounds {
		n := order[round%len(order)]
		kind, atStripe := kinds[n/2], n%2 == 0
		own := rand.New(rand.NewPCG(seed, uint64(round)+1)) // rounds run in parallel
		where := "to the service"
		if atStripe {
			where = "to Stripe"
		}
		t.Run(fmt.Sprintf("%d %s %s", round, kind.kind, where), func(t *testing.T) {
			t.Parallel()
			disturbed := filepath.Join(t.TempDir(), "disturbed.db")
			times, reads, requests := disturbedSync(t, proxies, stripe, disturbed, kind, atStripe, own)
			for _, table := range toxicStreams() {
				if diff := cmp.Diff(dump(t, undisturbed, table), dump(t, disturbed, table)); diff != "" {
					t.Errorf("%s differs: %s", table, diff)
				}
			}
			if kind.breaks && !atStripe && reads < 2 {
				t.Errorf("%d times, and it took one Read: nothing was disturbed", times)
			}
			t.Logf("%d times; %d Reads, %d requests", times, reads, requests)
		})
	}
}

func toxicStreams() []string {
	return []string{"charges", "customers", "invoice_line_items", "invoices"}
}

// disturbedSync syncs while a toxic comes and goes. It returns how often the toxic was added, and the
// numbers of Reads and requests that the sync took.
func disturbedSync(
	t *testing.T, proxies *toxiproxy.Client, stripe *stripetest.Server, file string, kind toxic, atStripe bool, random *rand.Rand,
) (times, reads int, requests int64) {
	t.Helper()
	toStripe := newLink(t, proxies, "stripe", strings.TrimPrefix(stripe.URL, "http://"))
	base := "http://" + toStripe.Listen
	retry := api.Retry{Initial: time.Millisecond, Max: 20 * time.Millisecond, Budget: 10 * time.Second, Attempt: 500 * time.Millisecond}
	toService := newLink(t, proxies, "service", serve(t, base, retry, io.Discard))
	place := toService
	if atStripe {
		place = toStripe
	}

	c, err := client.Dial(toService.Listen, client.Options{DialOptions: []grpc.DialOption{soonAgain, saveOften}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	d, err := all.Kinds().Open(t.Context(), "sqlite:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()

	begun, ended := make(chan struct{}), make(chan struct{})
	begin := sync.OnceFunc(func() { close(begun) })
	var disturber sync.WaitGroup
	disturber.Go(func() { times = place.disturb(t, kind, random, begun, ended) })
	report, err := c.Sync(t.Context(), client.SyncOptions{
		Config: configuration(t, simulatedConfig(base)), Destination: d, Selection: client.Selection{Select: toxicStreams()},
		Attempts: 1000, Wait: 10 * time.Millisecond,
		Observe: func(_ context.Context, m *connectorv1.ReadResponse) {
			if m.GetRecords() != nil {
				begin()
			}
		},
	})
	close(ended)
	disturber.Wait()
	if err != nil {
		t.Fatalf("the sync ended with %v", err)
	}
	return times, report.Reads, report.Requests
}

// disturb adds and removes a toxic from the closing of begun until ended is closed, and returns how often it did. The pauses
// grow, so that the sync also completes on slow machines.
func (w link) disturb(t *testing.T, kind toxic, random *rand.Rand, begun, ended <-chan struct{}) int {
	select {
	case <-begun:
	case <-ended:
		return 0
	}
	pause := func(longest int) bool {
		select {
		case <-ended:
			return false
		case <-time.After(time.Duration(between(random, 30, longest)) * time.Millisecond):
			return true
		}
	}
	for times := 1; ; times++ {
		direction := []string{"upstream", "downstream"}[random.IntN(2)]
		if _, err := w.AddToxic("it", kind.kind, direction, 1, kind.attributes(random)); err != nil {
			t.Errorf("add a toxic: %v", err)
			return times
		}
		running := pause(150)
		if err := w.RemoveToxic("it"); err != nil {
			t.Errorf("remove a toxic: %v", err)
			return times
		}
		if !running || !pause(150+100*times) {
			return times
		}
	}
}
