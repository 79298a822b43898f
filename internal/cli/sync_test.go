package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSyncReportsSkippedStreams(t *testing.T) {
	w := newWorld(t, fakeSource{})
	w.environment["STRIPE_API_KEY"] = "half"
	w.runs(t, exitOK, "sync", "--to", "jsonl:"+t.TempDir())
	says(t, w.out, "pears   skipped ")
	says(t, w.out, "\npears: The key may not read pears.\n")
}

func TestSyncInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := newWorld(t, fakeSource{})
	w.environment["STRIPE_API_KEY"] = plantedKey
	w.runsUntil(t, ctx, exitFailure, "sync", "--to", "jsonl:"+t.TempDir())
	says(t, w.err, "Interrupted.")
}

func TestSyncUnknownStream(t *testing.T) {
	w := newWorld(t, fakeSource{})
	w.environment["STRIPE_API_KEY"] = plantedKey
	w.runs(t, exitFailure, "sync", "--to", "jsonl:"+t.TempDir(), "--streams", "appels")
	says(t, w.err, `streams[0]: There is no stream "appels". Did you mean "apples"?`)
}

func TestSyncOfTheSimulatedStripe(t *testing.T) {
	simulating, stop := context.WithCancel(t.Context())
	stripe := newWorld(t, nil)
	ended := make(chan int, 1)
	go func() {
		ended <- stripe.run(simulating, []string{"simulate", "--listen", "127.0.0.1:0", "--error-rate", "0.02"})
	}()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != exitOK {
			t.Errorf("simulate exited with %d: %s", code, stripe.err)
		}
	})
	for stripe.out.String() == "" {
		time.Sleep(time.Millisecond)
	}
	config := write(t, "config.json", stripe.out.String())
	w := newWorld(t, nil)
	w.runs(t, exitOK, "check", "--config", config, "--streams", "charges")
	folder := t.TempDir()
	w.runs(t, exitOK, "sync", "--config", config, "--select", "charges,*_line_items", "--exclude", "[^i]*_line_items",
		"--fields", "charges=amount", "--to", "jsonl:"+folder)
	says(t, w.out, "charges             complete")
	lines, err := os.ReadFile(filepath.Join(folder, "charges.jsonl"))
	if err != nil || !strings.Contains(string(lines), `"amount":`) || strings.Contains(string(lines), `"currency":`) {
		t.Errorf("want lines with amounts alone, got %.200s, %v", lines, err)
	}
}

func TestSyncSelects(t *testing.T) {
	folder := t.TempDir()
	w := newWorld(t, fakeSource{})
	w.environment["STRIPE_API_KEY"] = plantedKey
	w.runs(t, exitOK, "sync", "--to", "jsonl:"+folder, "--select", "*p*", "--exclude", "pea?s")
	if strings.Contains(w.out.String(), "pears") || !strings.Contains(w.out.String(), "apples") {
		t.Errorf("want apples alone, got:\n%s", w.out)
	}
	w.runs(t, exitUsage, "sync", "--to", "jsonl:"+folder, "--fields", "apples")
	says(t, w.err, "such as charges=id,amount")
}
