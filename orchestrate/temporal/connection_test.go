package temporal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	connector "github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/all"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal/internal/command"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// childCommand is an environment variable that makes the test binary run its command line as stripe-connector-temporal would.
const childCommand = "STRIPE_CONNECTOR_TEST_COMMAND"

// commandProcess runs a command line in a process of its own, with nothing in its environment but env.
func commandProcess(t *testing.T, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(env, childCommand+"=1", "HOME="+t.TempDir())
	var out, diagnostics bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diagnostics
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), diagnostics.String(), cmd.ProcessState.ExitCode()
}

// TestConnection checks what a user reads whose connection to Temporal is not configured as the server requires.
func TestConnection(t *testing.T) {
	t.Parallel()
	const key = "Planted4ApiKey"
	address, authority := serveGateway(t, key)
	_, wrong := newCertificate(t)
	missing := filepath.Join(t.TempDir(), "missing.pem")
	file := filepath.Join(t.TempDir(), "connected.yaml")
	if err := os.WriteFile(file, []byte("pipelines:\n  connected: {config: {}, destination: 'sqlite:x.db'}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := []string{"TEMPORAL_ADDRESS=" + address, "TEMPORAL_NAMESPACE=" + server.Namespace, "TEMPORAL_API_KEY=" + key, "TEMPORAL_TLS_SERVER_CA_CERT_PATH=" + authority}
	for name, c := range map[string]struct {
		verb   string
		env    []string // replaces variables of good
		code   int
		wanted []string
	}{
		"as required":       {"plan", nil, 0, []string{"+ connected: create"}},
		"wrong authority":   {"plan", []string{"TEMPORAL_TLS_SERVER_CA_CERT_PATH=" + wrong}, 1, []string{"connect to Temporal at " + address, "TEMPORAL_TLS_SERVER_CA_CERT_PATH"}},
		"no authority":      {"plan", []string{"TEMPORAL_TLS_SERVER_CA_CERT_PATH="}, 1, []string{"connect to Temporal at " + address, "TEMPORAL_TLS_SERVER_CA_CERT_PATH"}},
		"missing authority": {"plan", []string{"TEMPORAL_TLS_SERVER_CA_CERT_PATH=" + missing}, 1, []string{missing, "TEMPORAL_TLS_SERVER_CA_CERT_PATH"}},
		"missing key file": {"plan", []string{"TEMPORAL_API_KEY=", "TEMPORAL_TLS_CLIENT_CERT_PATH=" + authority, "TEMPORAL_TLS_CLIENT_KEY_PATH=" + missing}, 1,
			[]string{missing, "TEMPORAL_TLS_CLIENT_KEY_PATH"}},
		"certificate without key": {"plan", []string{"TEMPORAL_API_KEY=", "TEMPORAL_TLS_CLIENT_CERT_PATH=" + authority}, 1, []string{"TEMPORAL_TLS_CLIENT_KEY_PATH"}},
		"wrong server name":       {"plan", []string{"TEMPORAL_TLS_SERVER_NAME=other.example.com"}, 1, []string{"TEMPORAL_TLS_SERVER_NAME"}},
		"plaintext":               {"plan", []string{"TEMPORAL_TLS=false", "TEMPORAL_TLS_SERVER_CA_CERT_PATH=", "TEMPORAL_API_KEY="}, 1, []string{"set TEMPORAL_TLS=true"}},
		"TLS to plaintext":        {"plan", []string{"TEMPORAL_ADDRESS=" + server.Address}, 1, []string{"connect to Temporal at " + server.Address, "set TEMPORAL_TLS=false"}},
		"no key":                  {"plan", []string{"TEMPORAL_API_KEY=", "TEMPORAL_TLS=true"}, 1, []string{"check TEMPORAL_API_KEY"}},
		"wrong key":               {"plan", []string{"TEMPORAL_API_KEY=Other4ApiKey"}, 1, []string{"check TEMPORAL_API_KEY"}},
		"no namespace":            {"plan", []string{"TEMPORAL_NAMESPACE=absent"}, 1, []string{"temporal operator namespace create --namespace absent", "TEMPORAL_NAMESPACE"}},
		"missing configuration":   {"plan", []string{"TEMPORAL_CONFIG_FILE=" + missing, "TEMPORAL_PROFILE=production"}, 1, []string{"production", "TEMPORAL_PROFILE"}},
		"worker without key":      {"worker", []string{"TEMPORAL_API_KEY=", "TEMPORAL_TLS=true"}, 1, []string{"check TEMPORAL_API_KEY"}},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			args := []string{c.verb, file}
			if c.verb == "worker" {
				args = append(args, "--target", "127.0.0.1:1")
			}
			out, text, code := commandProcess(t, append(good[:len(good):len(good)], c.env...), args...)
			for _, want := range c.wanted {
				if !strings.Contains(out+text, want) || code != c.code {
					t.Errorf("got exit code %d, %q and %q, want %d and %q", code, out, text, c.code, want)
				}
			}
			if strings.Contains(out+text, "4ApiKey") {
				t.Errorf("the output contains the key: %q and %q", out, text)
			}
		})
	}
}

// TestRefusedAttributes checks that apply warns and continues if it may not register search attributes.
func TestRefusedAttributes(t *testing.T) {
	t.Parallel()
	address, authority := serveGateway(t, "key")
	file := filepath.Join(t.TempDir(), "refused.yaml")
	if err := os.WriteFile(file, []byte("pipelines:\n  refused: {config: {}, destination: 'sqlite:x.db', schedule: {cron: '0 0 1 1 *'}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// A namespace that never has them, since other tests register them in the server's.
	const namespace = "refused"
	if _, err := server.Client.WorkflowService().RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{Namespace: namespace,
		WorkflowExecutionRetentionPeriod: durationpb.New(72 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	env := []string{"TEMPORAL_ADDRESS=" + address, "TEMPORAL_NAMESPACE=" + namespace, "TEMPORAL_API_KEY=key", "TEMPORAL_TLS_SERVER_CA_CERT_PATH=" + authority}
	w := &world{T: t}
	w.until("the namespace is known", func() bool {
		_, _, code := commandProcess(t, env, "plan", file)
		return code == 0
	})
	out, warnings, code := commandProcess(t, env, "apply", file)
	if code != 0 || !strings.Contains(out, "+ search attributes: register StripeConnectorPipeline, StripeConnectorStatus (Keyword)\n") ||
		!strings.Contains(warnings, "no operators here") || !strings.Contains(warnings, "temporal operator search-attribute create --namespace refused --name StripeConnectorPipeline --type Keyword") ||
		!strings.HasSuffix(warnings, "Applied: 1 created, 0 updated, 0 deleted.\n") {
		t.Errorf("got exit code %d, %q and %q, want a warning", code, out, warnings)
	}
}

// TestUsage checks the exit codes of invalid command lines.
func TestUsage(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]struct {
		code int
		text string
	}{
		"":                            {0, ""},
		"frobnicate":                  {2, "unknown command"},
		"plan --frobnicate":           {2, "unknown flag: --frobnicate. Try 'stripe-connector-temporal plan --help'"},
		"plan a b":                    {2, "accepts at most 1 arg(s)"},
		"plan --format xml":           {2, "--format must be text or json"},
		"apply --jitter=-1s":          {2, "--jitter must not be negative"},
		"sync":                        {2, "accepts 1 arg(s)"},
		"sync --all --width 0":        {2, "--width must be at least 1"},
		"worker":                      {2, `required flag(s) "target" not set`},
		"plan --detailed-exitcode -x": {1, "unknown shorthand flag"},
		"plan missing.yaml":           {1, "missing.yaml"},
	} {
		if _, text, code := commandProcess(t, nil, strings.Fields(line)...); code != want.code || !strings.Contains(text, want.text) {
			t.Errorf("%s: got exit code %d and %q, want %d and %q", line, code, text, want.code, want.text)
		}
	}
}

// TestSyncAll syncs all pipelines of a file, of which one fails and two are skipped.
func TestSyncAll(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "sync-all.yaml")
	content := "pipelines:\n"
	for name, fields := range map[string]string{"good": "", "better": "", "bad": "", "idle": ", paused: true", "endless": ", schedule: follow"} {
		content += fmt.Sprintf("  all-%s: {config: {marker: %s}, destination: 'jsonl:%s', retry: {attempts: 1}%s}\n", name, name, name, fields)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	parsed, err := command.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	service := &fake{sync: func(_ context.Context, _ int, o connector.SyncOptions) error {
		if o.Config.GetFields()["marker"].GetStringValue() == "bad" {
			return failureOf(connectorv1.FailureClass_FAILURE_CLASS_CONFIG, false, "The account is closed.")
		}
		return nil
	}}
	worker := temporal.NewWorker(server.Client, server.Namespace, temporal.Options{File: parsed, Service: service, Destinations: all.Kinds(), TaskQueue: t.Name(),
		Getenv: func(string) string { return plantedKey }})
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(worker.Stop)
	env := []string{"TEMPORAL_ADDRESS=" + server.Address, "TEMPORAL_NAMESPACE=" + server.Namespace}
	out, text, code := commandProcess(t, env, "sync", "--all", "--task-queue", t.Name(), file)
	if code != 1 || !strings.HasPrefix(out, "Syncing 3 pipelines: workflow stripe-connector:all:sync-all.yaml, run ") ||
		!strings.HasSuffix(out, "\n2 succeeded, 0 skipped, 0 paused, 1 failed.\n") || text != "error: 1 of 3 pipelines failed: all-bad\n" {
		t.Errorf("got exit code %d, %q and %q", code, out, text)
	}
}
