package temporal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.temporal.io/api/serviceerror"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal/internal/command"
)

// isTransient reports whether a command failed because the server didn't respond within the ten seconds that the SDK allows. Commands
// can be repeated.
func isTransient(err error) bool {
	_, late := errors.AsType[*serviceerror.DeadlineExceeded](err)
	_, unavailable := errors.AsType[*serviceerror.Unavailable](err)
	return late || unavailable || errors.Is(err, context.DeadlineExceeded)
}

// TestCommands runs a worker and a sync with the commands that a user would.
func TestCommands(t *testing.T) {
	t.Parallel()
	simulated := stripetest.NewServer(stripetest.Options{Objects: map[string]int{"/v1/customers": 120}})
	t.Cleanup(simulated.Close)
	target := serveStripe(t, simulated)
	folder := t.TempDir()
	file := filepath.Join(folder, "pipelines.yaml")
	for name, content := range map[string]string{"key": plantedKey, "pipelines.yaml": fmt.Sprintf(`pipelines:
  shop:
    config: {api_key: {file: key}, api_base: %q}
    destination: jsonl:lines
    select: [customers]
`, simulated.URL)} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(ctx context.Context, args ...string) (out, logs string, err error) {
		for {
			var stdout, stderr bytes.Buffer
			root := command.Root(os.Getenv)
			root.SetArgs(append(args, "--address", server.Address, "--namespace", server.Namespace, "--task-queue", t.Name()))
			root.SetOut(&stdout)
			root.SetErr(&stderr)
			if err = root.ExecuteContext(ctx); !isTransient(err) {
				return stdout.String(), stderr.String(), err
			}
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() {
		_, logs, err := run(ctx, "worker", file, "--target", target)
		if strings.Contains(logs, "Planted4Secret") {
			err = fmt.Errorf("the log contains the key: %s", logs)
		}
		ended <- err
	}()
	if out, _, err := run(ctx, "sync", "shop"); err != nil || !strings.Contains(out, "Pipeline shop will sync") {
		t.Fatalf("got %q, %v", out, err)
	}
	w := &world{T: t}
	var status struct {
		Workflow string
		State    temporal.State
	}
	w.until("the status shows that it has ended", func() bool {
		out, _, err := run(ctx, "status", "shop")
		return err == nil && json.Unmarshal([]byte(out), &status) == nil && status.Workflow == "Completed"
	})
	if got := status.State.Streams["customers"]; got.Loaded != 120 || got.Status != "complete" {
		t.Errorf("got %+v, want 120 customers", status)
	}
	if out, _, err := run(ctx, "status", "stranger"); err != nil || !strings.Contains(out, `"workflow": ""`) {
		t.Errorf("got %q, %v for a pipeline that never ran", out, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if lines, err := os.ReadFile(filepath.Join(folder, "lines", "customers.jsonl")); err != nil || bytes.Count(lines, []byte("\n")) < 120 {
		t.Errorf("got %d lines, %v, want 120 customers", bytes.Count(lines, []byte("\n")), err)
	}
}
