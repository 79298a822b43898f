package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// airbyteFiles writes the files that Airbyte passes to a source, and returns the arguments that name them. The folder is that of
// a platform: the process can't write to it.
func airbyteFiles(t *testing.T, base string) (dir string, args []string) {
	t.Helper()
	dir = t.TempDir()
	write := func(name string, content any) string {
		text, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o444); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config := write("config.json", map[string]any{"client_secret": "sk_test_123", "api_base": base, "call_rate_limit": 10000})
	catalog := write("catalog.json", map[string]any{"streams": []any{
		map[string]any{"stream": map[string]any{"name": "charges"}, "sync_mode": "incremental"},
		map[string]any{"stream": map[string]any{"name": "customers"}, "sync_mode": "incremental"},
	}})
	return dir, []string{"airbyte", "read", "--config", config, "--catalog", catalog}
}

// TestAirbyteProcess runs the command as Airbyte does: with an environment of its own, in a folder that isn't writable, and with
// no home. Its stdout has nothing but messages, it leaves no files, and a closed stdout or a signal in the middle ends it soon.
func TestAirbyteProcess(t *testing.T) {
	stripe := simulate(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/charges": 3000, "/v1/customers": 2000},
		Latency: func(string) time.Duration { return 20 * time.Millisecond }})
	var largest string
	for id := range stripe.Truth("/v1/charges") {
		largest = id
	}
	if _, err := stripe.Distort(largest, stripetest.Edit{Property: "description", JSON: stripetest.Text(5 << 20)}); err != nil {
		t.Fatal(err)
	}
	dir, args := airbyteFiles(t, stripe.URL)
	home, temporary := t.TempDir(), t.TempDir()
	process := func() *exec.Cmd {
		cmd := command(t, args...)
		cmd.Dir, cmd.Env = dir, []string{"HOME=" + home, "TMPDIR=" + temporary}
		return cmd
	}
	t.Run("whole", func(t *testing.T) {
		out, err := process().Output()
		if err != nil {
			t.Fatal(err)
		}
		records, longest := 0, 0
		for line := range bytes.Lines(out) {
			var m struct{ Type string }
			if err := json.Unmarshal(line, &m); err != nil {
				t.Fatalf("%v in %.200s", err, line)
			}
			if m.Type == "RECORD" {
				records++
			}
			longest = max(longest, len(line))
		}
		if records != 5000 || longest < 5<<20 {
			t.Errorf("%d records, the longest of %d bytes", records, longest)
		}
	})
	t.Run("signal", func(t *testing.T) {
		cmd := process()
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReaderSize(out, 64<<10)
		for range 300 {
			if _, err := lines.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		rest, err := io.ReadAll(lines)
		if err != nil {
			t.Fatal(err)
		}
		exit := new(exec.ExitError)
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
			t.Errorf("after the signal, the process ended with %v", err)
		}
		for _, want := range []string{`"type":"STATE"`, `"status":"INCOMPLETE"`, `"failure_type":"transient_error"`} {
			if !strings.Contains(string(rest), want) {
				t.Errorf("after the signal, there is no %s", want)
			}
		}
		if !bytes.HasSuffix(rest, []byte("}\n")) {
			t.Errorf("the last line isn't complete: %.100s", rest[max(0, len(rest)-100):])
		}
	})
	t.Run("closed stdout", func(t *testing.T) {
		cmd := process()
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, out, 100_000); err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Error("the process succeeded though nobody could read its messages")
		}
	})
	for _, dir := range []string{home, temporary} {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("the process left %v: %v", left, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("the process left %v: %v", left, err)
	}
}
