package temporal_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/orchestrate/temporal/internal/command"
)

// commandLine runs a command against the tests' server.
func commandLine(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	var stdout bytes.Buffer
	root := command.Root(os.Getenv)
	root.SetArgs(args)
	root.SetOut(&stdout)
	root.SetErr(&stdout)
	err = root.ExecuteContext(t.Context())
	return stdout.String(), err
}

func TestPlanAndApply(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "planned.yaml")
	const content = "pipelines:\n  planned: {config: {api_key: '${KEY}'}, destination: 'sqlite:x.db', schedule: {cron: '30 2 1 1 *', time_zone: Europe/Berlin}}\n"
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	on := func(verb string, flags ...string) []string {
		return append([]string{verb, file, "--address", server.Address, "--namespace", server.Namespace}, flags...)
	}
	expect := func(args []string, fails bool, want string) {
		t.Helper()
		for repeated := false; ; repeated = true {
			out, err := commandLine(t, args...)
			if err != nil {
				out += err.Error()
			}
			switch {
			case (err != nil) == fails && strings.Contains(out, want):
			case isTransient(err):
				continue
			case repeated && args[0] == "apply" && strings.HasPrefix(out, "No changes"): // it had succeeded
			default:
				t.Errorf("%s: got %q, want %q and an error: %t", args[0], out, want, fails)
			}
			return
		}
	}
	write(content)
	deleteAfter(t, "planned")
	expect(on("plan"), false, "+ planned: create\n    schedule: cron 30 2 1 1 *, Europe/Berlin\n")
	expect(on("plan", "--detailed-exitcode"), true, "Set planned: 1 to create, 0 to update, 0 to delete, 0 unchanged.")
	expect(on("apply"), false, "Applied: 1 created, 0 updated, 0 deleted.")
	expect(on("apply"), false, "No changes: the schedules of set planned are up to date (1).\n")
	expect(on("plan", "--detailed-exitcode"), false, "No changes")
	write(strings.ReplaceAll(content, "Berlin", "Paris"))
	out, err := commandLine(t, on("plan", "--format", "json")...)
	for isTransient(err) {
		out, err = commandLine(t, on("plan", "--format", "json")...)
	}
	var plan struct {
		Changes []struct {
			Pipeline, Action string
			Fields           []struct{ Name, Old, New string }
		}
	}
	if err != nil || json.Unmarshal([]byte(out), &plan) != nil || len(plan.Changes) != 1 || plan.Changes[0].Fields[0].Old != "cron 30 2 1 1 *, Europe/Berlin" {
		t.Errorf("got %s with error %v", out, err)
	}
	expect(on("plan"), false, "~ planned: update\n    schedule: cron 30 2 1 1 *, Europe/Berlin → cron 30 2 1 1 *, Europe/Paris\n")
	expect(on("plan", "--catch-up", "1s"), true, "--catch-up must be at least 10s, got 1s")
	expect(on("plan", "--format", "xml"), true, "--format must be text or json")
	expect(on("plan", "--namespace", "missing"), true, "create the namespace with `temporal operator namespace create --namespace missing`")
	expect(on("plan", "--address", "127.0.0.1:1"), true, "check that it runs there, or set --address or TEMPORAL_ADDRESS")
}
