package temporal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal/internal/command"
)

// stderr is a log that can be read while it is written.
type stderr struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *stderr) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *stderr) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// fetch returns the status and the body of a page.
func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// sum returns the sum of the samples of a metric that have this label, or -1 if there are none.
func sum(t *testing.T, scraped, metric, label string) float64 {
	t.Helper()
	total := -1.0
	for line := range strings.Lines(scraped) {
		if !strings.HasPrefix(line, metric+"{") || !strings.Contains(line, label) {
			continue
		}
		fields := strings.Fields(line)
		value, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil {
			t.Fatal(err)
		}
		total = max(total, 0) + value
	}
	return total
}

// TestWorkerMetrics runs the worker with --metrics-listen, a sync that succeeds and one that fails, and scrapes it. The scrape
// must count both, and contain no key, no pipeline's name, and no customer data.
func TestWorkerMetrics(t *testing.T) {
	t.Parallel()
	simulated := stripetest.NewServer(stripetest.Options{Objects: map[string]int{"/v1/customers": 120}})
	t.Cleanup(simulated.Close)
	target := serveStripe(t, simulated)
	folder := t.TempDir()
	file := filepath.Join(folder, "pipelines.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, `pipelines:
  planted-good: {config: {api_key: "${KEY}", api_base: %q}, destination: "jsonl:lines", select: [customers]}
  planted-bad: {config: {api_key: "${KEY}", api_base: "http://127.0.0.1:9"}, destination: "jsonl:other", select: [customers]}
`, simulated.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(ctx context.Context, log io.Writer, args ...string) error {
		for {
			root := command.Root(func(string) string { return plantedKey })
			root.SetArgs(append(args, "--address", server.Address, "--namespace", server.Namespace, "--task-queue", t.Name()))
			root.SetOut(io.Discard)
			root.SetErr(log)
			if err := root.ExecuteContext(ctx); !isTransient(err) {
				return err
			}
		}
	}
	if err := run(t.Context(), io.Discard, "worker", file, "--target", target, "--metrics-listen", "192.0.2.1:0"); err == nil ||
		!strings.Contains(err.Error(), "choose another address with --metrics-listen") {
		t.Errorf("got %v for an address of another machine", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var log stderr
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, &log, "worker", file, "--target", target, "--metrics-listen", "127.0.0.1:0") }()
	for _, name := range []string{"planted-good", "planted-bad"} {
		if err := run(ctx, io.Discard, "sync", name); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{T: t}
	var address string
	w.until("the worker serves metrics", func() bool {
		found := regexp.MustCompile(`"serving metrics","address":"([^"]+)"`).FindAllStringSubmatch(log.String(), -1)
		if len(found) == 0 {
			return false
		}
		address = "http://" + found[len(found)-1][1]
		return true
	})
	var scraped string
	w.until("the metrics have both workflows", func() bool {
		_, scraped = fetch(t, address+"/metrics")
		return sum(t, scraped, "temporal_workflow_completed_total", `workflow_type="Pipeline"`) > 0 &&
			sum(t, scraped, "temporal_workflow_failed_total", `workflow_type="Pipeline"`) > 0
	})
	for _, want := range []struct {
		metric, label string
		least         float64
	}{
		{"connector_records_received_total", `stream="customers"`, 120},
		{"connector_syncs_ended_total", `outcome="succeeded"`, 1},
		{"connector_syncs_ended_total", `outcome="config"`, 1},
		{"connector_syncs_ended_total", `outcome="transient"`, 0}, // starts at zero
		{"temporal_activity_execution_latency_seconds_count", `activity_type="Sync"`, 2},
		{"temporal_workflow_endtoend_latency_seconds_count", `workflow_type="Pipeline"`, 2},
		{"temporal_request_total", `operation="RespondWorkflowTaskCompleted"`, 2},
		{"temporal_num_pollers", `poller_type="activity_task"`, 0},
	} {
		if got := sum(t, scraped, want.metric, want.label); got < want.least {
			t.Errorf("%s with %s is %g, want at least %g", want.metric, want.label, got, want.least)
		}
	}
	if !strings.Contains(scraped, "go_goroutines ") {
		t.Error("the metrics of Go programs are missing")
	}
	checkLabels(t, scraped)
	forbidden := []string{"Planted4Secret", "planted-", folder, simulated.URL}
	for _, raw := range simulated.Truth("/v1/customers") {
		var customer struct{ ID, Email, Name, Phone string }
		if err := json.Unmarshal(raw, &customer); err != nil {
			t.Fatal(err)
		}
		for _, v := range []string{customer.ID, customer.Email, customer.Name, customer.Phone} {
			if len(v) > 3 {
				forbidden = append(forbidden, v)
			}
		}
	}
	if len(forbidden) < 120 {
		t.Errorf("looked for %d values only", len(forbidden))
	}
	for _, f := range forbidden {
		if strings.Contains(scraped, f) {
			t.Errorf("the metrics contain %q", f)
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if code, body := fetch(t, address+path); code != http.StatusOK {
			t.Errorf("%s returned %d %s", path, code, body)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if strings.Contains(log.String(), "Planted4Secret") {
		t.Error("the log contains the key")
	}
}

// checkLabels checks that the labels of Temporal's metrics and of the syncs are the known ones, with few values each.
func checkLabels(t *testing.T, scraped string) {
	t.Helper()
	known := map[string]int{ // by label, the maximum number of values
		"namespace": 2, "task_queue": 3, "client_name": 1, "worker_type": 10, "poller_type": 4, "workflow_type": 4, "activity_type": 6,
		"operation": 40, "status_code": 17, "cause": 20, "failure_reason": 10, "stream": 1, "outcome": 14, "le": 20,
	}
	values := map[string]map[string]bool{}
	for line := range strings.Lines(scraped) {
		if !strings.HasPrefix(line, "temporal_") && !strings.HasPrefix(line, "connector_") {
			continue
		}
		for _, pair := range regexp.MustCompile(`(\w+)="([^"]*)"`).FindAllStringSubmatch(line, -1) {
			if values[pair[1]] == nil {
				values[pair[1]] = map[string]bool{}
			}
			values[pair[1]][pair[2]] = true
		}
	}
	for label, seen := range values {
		if len(seen) > known[label] {
			t.Errorf("the label %s has the values %q, want at most %d", label, slices.Sorted(maps.Keys(seen)), known[label])
		}
	}
}
