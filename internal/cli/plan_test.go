package cli

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

func TestPlan(t *testing.T) {
	w := newWorld(t, nil)
	w.environment["STRIPE_API_KEY"] = plantedKey
	w.runs(t, exitOK, "sync", "--plan")
	says(t, w.out, "\ncharges ")
	says(t, w.out, "with invoices")
	says(t, w.out, " at the limit of 25 requests/s.")
	for _, name := range table.Costly() {
		if table.Streams(schema.Oldest()).Find(name) == nil {
			continue // the configured version doesn't have it
		}
		if strings.Contains(w.out.String(), "\n"+name+" ") {
			t.Errorf("%s is costly, but selected by default", name)
		}
		says(t, w.out, name)
	}
	for _, name := range []string{"customer_balance_transactions", "billing_meter_event_summaries"} {
		if !strings.Contains(strings.Join(table.Costly(), " "), name) {
			t.Errorf("%s is not known as costly", name)
		}
	}
	w.runs(t, exitOK, "sync", "--plan", "--select", "billing_meter_event_summaries")
	says(t, w.out, "1 per customers × billing_meters")
	w.runs(t, exitUsage, "sync")
	says(t, w.err, `required flag(s) "to" not set`)
	for _, cheap := range []string{"charges", "invoice_line_items", "subscription_items", "balance"} {
		if table.Known().Find(cheap).CostPer() != "" {
			t.Errorf("%s is not costly", cheap)
		}
	}
}

func TestStatus(t *testing.T) {
	path := writePipelines(t)
	w := newWorld(t, fakeSource{})
	w.environment["FRUIT_KEY"] = plantedKey
	w.runs(t, exitOK, "status", path)
	says(t, w.out, "fruit, every 1h: last run never ran\n")
	w.runs(t, exitOK, "run", "--once", path)
	w.runs(t, exitOK, "run", "--once", path)
	w.out.buffer.Reset()
	w.runs(t, exitOK, "status", path)
	says(t, w.out, "fruit, every 1h: last run succeeded, last success ")
	says(t, w.out, ", next run at 20")
	if !regexp.MustCompile(`\napples  complete +6  `).MatchString(w.out.String()) {
		t.Errorf("want six rows of apples, got\n%s", w.out)
	}
	w.runs(t, exitOK, "status", "--format", "json", path)
	says(t, w.out, `"last": "succeeded"`)
	w.runs(t, exitFailure, "status", "--pipeline", "none", path)
}

func TestReset(t *testing.T) {
	to := "sqlite:" + filepath.Join(t.TempDir(), "stripe.db")
	w := newWorld(t, fakeSource{})
	w.environment["STRIPE_API_KEY"] = plantedKey
	w.runs(t, exitOK, "sync", "--to", to)
	w.runs(t, exitOK, "reset", "a*", "--to", to)
	says(t, w.out, "The next sync will re-read 1 stream from the beginning.\n")
	w.runs(t, exitOK, "sync", "--to", to)
	says(t, w.err, "warning: apples: ")
	if strings.Contains(w.err.String(), "warning: pears: It was asked") {
		t.Errorf("pears were reset too: %s", w.err)
	}
}

func TestRunCheckFindsSharedTables(t *testing.T) {
	path := write(t, "p.yaml", `pipelines:
  one: {config: {api_key: k}, destination: "sqlite:a.db"}
  two: {config: {api_key: k}, destination: "sqlite:./a.db"}
  three: {config: {api_key: k}, destination: "sqlite:none/a.db"}
`)
	w := newWorld(t, fakeSource{})
	w.runs(t, exitFailure, "run", "--check", path)
	says(t, w.out, "one: 2 streams, every 30m, next at ")
	says(t, w.err, path+" line 3: pipeline two is invalid:\nstripe-connector: it writes to the same tables as pipeline one")
	says(t, w.err, path+" line 4: pipeline three is invalid:\nstripe-connector: destination: ")
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), "a.db")); err == nil {
		t.Error("the check made the destination")
	}
}

// TestSimulateChanges reads the truth while it changes, and a denied stream.
func TestSimulateChanges(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	w := newWorld(t, nil)
	ended := make(chan int, 1)
	go func() {
		ended <- w.run(ctx, []string{"simulate", "--listen", "127.0.0.1:0", "--changes", "500/s", "--deny", "refunds", "--not-enabled", "issuing", "--truth", "127.0.0.1:0"})
	}()
	defer func() {
		stop()
		if code := <-ended; code != exitOK {
			t.Errorf("simulate exited with %d: %s", code, w.err)
		}
	}()
	truth := regexp.MustCompile(`http://[0-9.:]+/v1/charges`)
	until(t, "the truth is told", func() bool { return truth.MatchString(w.err.String()) && w.out.String() != "" })
	lines := func() int {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, truth.FindString(w.err.String()), nil)
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		n := 0
		for s := bufio.NewReader(response.Body); ; n++ {
			if _, err := s.ReadString('\n'); err == io.EOF {
				return n
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	before := lines()
	until(t, "there are more charges", func() bool { return lines() > before })
	config := write(t, "config.json", w.out.String())
	checked := newWorld(t, nil)
	checked.run(t.Context(), []string{"check", "--config", config, "--streams", "refunds,issuing_cards,charges"})
	if n := strings.Count(checked.out.String(), "AVAILABILITY_UNAVAILABLE"); n != 2 {
		t.Errorf("want refunds and issuing_cards refused, got %s", checked.out)
	}
	for _, args := range [][]string{{"--changes", "fast"}, {"--deny", "nothing"}, {"--not-enabled", "radar"}} {
		newWorld(t, nil).runs(t, exitUsage, append([]string{"simulate"}, args...)...)
	}
}
