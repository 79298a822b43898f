package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSync(t *testing.T) {
	for name, terminal := range map[string]bool{"lines": false, "bars": true} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "fruit.db")
			w := newWorld(t, fakeSource{})
			w.terminal = terminal
			w.environment["STRIPE_API_KEY"] = plantedKey
			w.environment["STRIPE_CONNECTOR_TO"] = "sqlite:" + path
			w.runs(t, exitOK, "sync")
			for _, line := range []string{
				"STREAM  STATUS    UPSERTS  DELETES  BYTES  SECONDS\n",
				"\napples  complete        3        0     69 ",
				"\ntotal   complete        6        0    135 ",
			} {
				says(t, w.out, line)
			}
			says(t, w.err, "warning: apples: Read anew.")
			if !terminal {
				says(t, w.err, "1 records, 2 requests, 50 %")
				says(t, w.err, "pears: complete, 3 records")
			}
			answer, err := ask(t.Context(), path, "SELECT id, n FROM apples ORDER BY n DESC LIMIT 1")
			if err != nil || answer != "id        n\napples_2  2\n" {
				t.Errorf("got %q, %v", answer, err)
			}
		})
	}
}

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

func TestDemo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stripe.db")
	w := newWorld(t, nil)
	w.runs(t, exitOK, "demo", "--to", "sqlite:"+path)
	for _, q := range questions() {
		says(t, w.out, q.words)
		answer, err := ask(t.Context(), path, q.sql)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(answer, "\n") < 3 {
			t.Errorf("%s\nis answered with too little: %s", q.words, answer)
		}
	}
	if err := claim(t.Context(), path); err != nil {
		t.Errorf("the demo does not know its own file again: %v", err)
	}
}

func TestDemoLeavesOtherFilesAlone(t *testing.T) {
	w := newWorld(t, nil)
	text := write(t, "stripe.db", "precious")
	w.runs(t, exitFailure, "demo", "--to", "sqlite:"+text)
	says(t, w.err, "was not made by the demo, which leaves it alone: choose another file with --to")
	if content, err := os.ReadFile(text); err != nil || string(content) != "precious" {
		t.Errorf("the file now holds %q, %v", content, err)
	}
	w.runs(t, exitFailure, "demo", "--to", "sqlite:"+filepath.Dir(text))
	says(t, w.err, "is a folder")
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
