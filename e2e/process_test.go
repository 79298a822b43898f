package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// binary builds the command once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(buildDir, "stripe-connector")
	out, err := exec.Command("go", "build", "-o", path, "../cmd/stripe-connector").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return exec.CommandContext(t.Context(), path, args...)
}

// simulate starts a simulated Stripe that stops at the end of the test.
func simulate(t *testing.T, o stripetest.Options) *stripetest.Server {
	t.Helper()
	stripe := stripetest.NewServer(o)
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		stripe.Close()
	})
	return stripe
}

// process is a service running in its own process.
type process struct {
	*exec.Cmd
	address string
}

var listening = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// startProcess runs `serve` on a free port, and stops it at the end of the test.
func startProcess(t *testing.T, base string, args ...string) *process {
	t.Helper()
	cmd := command(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--allow-api-base", base}, args...)...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: cmd}
	lines := bufio.NewScanner(stderr)
	for p.address == "" && lines.Scan() {
		p.address = listening.FindString(lines.Text())
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for lines.Scan() {
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-drained
		_ = cmd.Wait()
	})
	if p.address == "" {
		t.Fatal("the service did not say where it listens")
	}
	return p
}

// memory returns a field of the process's status, such as VmRSS or VmHWM, in MiB.
func (p *process) memory(t *testing.T, field string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
	if err != nil {
		t.Skip("memory is measured where there is /proc")
	}
	_, rest, _ := strings.Cut(string(status), field+":")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib / 1024
}

func simulatedConfig(base string) map[string]any {
	return map[string]any{"api_key": "sk_test_123", "api_base": base, "start_date": "2020-01-01", "max_requests_per_second": 10000}
}

func writeConfig(t *testing.T, base string) string {
	t.Helper()
	text, err := json.Marshal(simulatedConfig(base))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestMemoryOfALargeRead reads 100,000 charges with a slow client.
func TestMemoryOfALargeRead(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	const most, charges = 100, 100_000
	stripe := simulate(t, stripetest.Options{Objects: map[string]int{"/v1/charges": charges, "*": 10}})
	p := startProcess(t, stripe.URL)
	client := dial(t, p.address)
	stream, err := client.Read(t.Context(), &connectorv1.ReadRequest{
		Config:  configuration(t, simulatedConfig(stripe.URL)),
		Streams: selectStreams("charges"),
	})
	if err != nil {
		t.Fatal(err)
	}
	records, messages := 0, 0
	for {
		m, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if m.GetSummary() != nil {
			break
		}
		records += len(m.GetRecords().GetRecords())
		if messages++; messages%10 == 0 {
			time.Sleep(2 * time.Millisecond)
		}
	}
	if records != charges {
		t.Errorf("got %d records", records)
	}
	if peak := p.memory(t, "VmHWM"); peak > most {
		t.Errorf("the server's memory rose to %d MiB, more than %d", peak, most)
	}
}

// TestMemoryOfStalledReaders starts Reads from 200 clients that never receive anything.
func TestMemoryOfStalledReaders(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	const most, readers = 208, 200
	stripe := simulate(t, stripetest.Options{Objects: map[string]int{"/v1/charges": 20_000, "*": 10}})
	p := startProcess(t, stripe.URL)
	before := p.memory(t, "VmRSS")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	request := &connectorv1.ReadRequest{Config: configuration(t, simulatedConfig(stripe.URL)), Streams: selectStreams("charges")}
	for range readers / 20 {
		client := dial(t, p.address, grpc.WithStaticStreamWindowSize(128<<10), grpc.WithStaticConnWindowSize(1<<20))
		for range 20 {
			if _, err := client.Read(ctx, request); err != nil {
				t.Fatal(err)
			}
		}
	}
	after := settled(t, p)
	if after-before > most {
		t.Errorf("%d stalled readers cost the server %d MiB, more than %d", readers, after-before, most)
	}
	t.Logf("%d stalled readers cost %d MiB", readers, after-before)
}

// settled waits until the process's memory stops growing, then returns it.
func settled(t *testing.T, p *process) int {
	t.Helper()
	last, same := 0, 0
	for range 120 {
		time.Sleep(250 * time.Millisecond)
		now := p.memory(t, "VmHWM")
		if now > last {
			last, same = now, 0
		} else if same++; same == 8 {
			break
		}
	}
	return last
}

// TestMemoryOfAHundredReads runs a hundred concurrent Reads of whole accounts.
func TestMemoryOfAHundredReads(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	const most, readers, charges = 1536, 100, 1500
	stripe := simulate(t, stripetest.Options{Objects: map[string]int{"/v1/charges": charges, "*": 10}})
	p := startProcess(t, stripe.URL)
	client := dial(t, p.address)
	request := &connectorv1.ReadRequest{
		Config:  configuration(t, simulatedConfig(stripe.URL)),
		Streams: selectStreams("charges", "customers", "invoices", "invoice_line_items"),
	}
	var reads sync.WaitGroup
	for range readers {
		reads.Go(func() {
			if n := len(read(t, client, request).records("charges")); n != charges {
				t.Errorf("got %d charges", n)
			}
		})
	}
	reads.Wait()
	peak := p.memory(t, "VmHWM")
	if peak > most {
		t.Errorf("the server's memory rose to %d MiB, more than %d", peak, most)
	}
	t.Logf("%d Reads at once cost at most %d MiB", readers, peak)
}
