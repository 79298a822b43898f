package pipeline_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/pipeline"
)

const full = `# Two accounts.
run_log: log/runs.db
keep_days: 30
pipelines:
  zebra:
    config:
      api_key: ${ZEBRA_KEY}
      start_date: 2024-01-31
      lookback_days: 3
    destination: sqlite:zebra.db
    select: [invoices, "invoice_*"]
    exclude:
      - events
    fields: {charges: [id, amount]}
    schedule: {every: 6h, anchor: 13:00}
    retry: {attempts: 5, wait: 1m}
  acme:
    config: {api_key: {file: acme.key}, account: "$${not a reference}"}
    destination: {env: ACME_DATABASE}
  idle:
    config: {api_key: x}
    destination: sqlite:idle.db
    paused: true
`

func parse(t *testing.T, path, content string) *pipeline.File {
	t.Helper()
	f, err := pipeline.Parse(path, []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestParse(t *testing.T) {
	f := parse(t, "/etc/stripe/pipelines.yaml", full)
	if f.RunLog != "/etc/stripe/log/runs.db" || f.Keep != 30*24*time.Hour || len(f.Pipelines) != 2 {
		t.Errorf("got %+v", f)
	}
	if len(f.Paused) != 1 || f.Paused[0].Name != "idle" {
		t.Errorf("got %+v, want idle to be paused", f.Paused)
	}
	zebra, acme := f.Pipelines[0], f.Pipelines[1]
	if zebra.Name != "zebra" || zebra.Schedule.String() != "every 6h from 13:00" || zebra.Attempts != 5 || zebra.Wait != time.Minute {
		t.Errorf("got %+v", zebra)
	}
	want := client.Selection{Select: []string{"invoices", "invoice_*"}, Exclude: []string{"events"},
		Fields: map[string][]string{"charges": {"id", "amount"}}}
	if diff := cmp.Diff(want, zebra.Selection); diff != "" {
		t.Errorf("selection (-want +got):\n%s", diff)
	}
	if acme.Name != "acme" || acme.Schedule.String() != "every 30m" || acme.Attempts != 3 || acme.Wait != 30*time.Second {
		t.Errorf("got %+v, want the defaults", acme)
	}
	short := parse(t, "here/pipelines.yaml", "pipelines: {a: {config: {}, destination: 'sqlite:a.db'}}")
	if short.RunLog != filepath.Join("here", "pipelines.runs.db") || short.Keep != 90*24*time.Hour {
		t.Errorf("got %+v, want the defaults", short)
	}
}

func TestResolve(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "acme.key"), []byte("rk_test_fromfile\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := parse(t, filepath.Join(folder, "pipelines.yaml"), full)
	environment := map[string]string{"ZEBRA_KEY": " rk_test_fromenv\n", "ACME_DATABASE": "postgres://u:password@h/d"}
	getenv := func(name string) string { return environment[name] }
	zebra, err := f.Pipelines[0].Resolve(t.Context(), getenv)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"api_key": "rk_test_fromenv", "start_date": "2024-01-31", "lookback_days": 3.0}
	if diff := cmp.Diff(want, zebra.Config.AsMap()); diff != "" || zebra.Destination != "sqlite:zebra.db" {
		t.Errorf("%s (-want +got):\n%s", zebra.Destination, diff)
	}
	if got := zebra.Redact("the key rk_test_fromenv is wrong"); got != "the key [secret] is wrong" {
		t.Errorf("got %q", got)
	}
	acme, err := f.Pipelines[1].Resolve(t.Context(), getenv)
	if err != nil {
		t.Fatal(err)
	}
	want = map[string]any{"api_key": "rk_test_fromfile", "account": "${not a reference}"}
	if diff := cmp.Diff(want, acme.Config.AsMap()); diff != "" || acme.Destination != "postgres://u:password@h/d" {
		t.Errorf("%s (-want +got):\n%s", acme.Destination, diff)
	}

	commanded := parse(t, filepath.Join(folder, "pipelines.yaml"), "pipelines: {a: {config: {api_key: {command: [cat, acme.key]}}, destination: 'sqlite:a.db'}}")
	for _, key := range []string{"rk_test_ofcommand", "rk_test_rotated"} { // the next run uses another key without a restart
		if err := os.WriteFile(filepath.Join(folder, "acme.key"), []byte(key+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := commanded.Pipelines[0].Resolve(t.Context(), getenv)
		if err != nil || a.Config.GetFields()["api_key"].GetStringValue() != key || a.Redact(key) != "[secret]" {
			t.Errorf("the key was not read from the command: %v", err)
		}
	}

	environment = nil
	if err := os.Remove(filepath.Join(folder, "acme.key")); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"config.api_key refers to the environment variable ZEBRA_KEY, which is not set",
		"destination refers to the environment variable ACME_DATABASE, which is not set",
	} {
		if _, err := f.Pipelines[i].Resolve(t.Context(), getenv); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	if _, err := f.Pipelines[1].Resolve(t.Context(), getenv); !strings.Contains(err.Error(), "config.api_key refers to a file that can't be read") {
		t.Errorf("got %v, want an error about the missing file", err)
	}
}

// TestParseRefuses checks that each error has its line, its field and a remedy, and quotes no value, since that could
// be a key.
func TestParseRefuses(t *testing.T) {
	const head = "pipelines:\n  acme:\n    config: {api_key: planted}\n    destination: sqlite:x.db\n"
	tests := map[string]struct {
		content string
		want    []string
	}{
		"empty":              {"", []string{"the file must be a single YAML document that starts with pipelines:"}},
		"two documents":      {head + "---\na: 1\n", []string{"must be a single YAML document"}},
		"a list":             {"- planted\n", []string{"line 1: the file must be an object, not a list."}},
		"not YAML":           {"pipelines:\n  acme:\n\tconfig: planted\n", []string{"line 3: the file is not valid YAML"}},
		"no pipelines":       {"keep_days: 3\n", []string{"line 1: the file is missing pipelines: add pipelines: {"}},
		"none in it":         {"pipelines: {}\n", []string{"line 1: pipelines has no member: add pipelines: {"}},
		"empty pipelines":    {"pipelines:\n", []string{"line 1: pipelines must be an object, not empty."}},
		"unknown on top":     {head + "keep_day: 3\n", []string{"line 5: keep_day is not a known field: did you mean keep_days?"}},
		"unknown":            {head + "    shedule: {}\n", []string{"line 5: pipelines.acme.shedule is not a known field: did you mean schedule?"}},
		"unknown below":      {head + "    schedule:\n      evry: 1h\n", []string{"line 6: pipelines.acme.schedule.evry is not a known field: did you mean every?"}},
		"far from any":       {head + "    retry: {planted: 1}\n", []string{"line 5: pipelines.acme.retry.planted is not a known field: the known ones are attempts, wait."}},
		"missing":            {"pipelines:\n  acme: {}\n", []string{"line 2: pipelines.acme is missing config: add config: {api_key: \"${STRIPE_API_KEY}\"}.", "is missing destination: add destination: sqlite:stripe.db."}},
		"types":              {head + "    select: planted\n    paused: planted\n    retry: {attempts: planted}\n", []string{"line 5: pipelines.acme.select must be a list, not a string.", "line 6: pipelines.acme.paused must be true or false, not a string.", "line 7: pipelines.acme.retry.attempts must be a whole number, not a string."}},
		"type in a list":     {head + "    select:\n      - charges\n      - {}\n", []string{"line 7: pipelines.acme.select[1] must be a string, not an object."}},
		"too many":           {head + "    retry: {attempts: 21}\n", []string{"line 5: pipelines.acme.retry.attempts must be at most 20."}},
		"too few":            {head + "keep_days: 0\n", []string{"line 5: keep_days must be at least 1."}},
		"empty string":       {head + "run_log: ''\n", []string{"line 5: run_log is empty: set it or remove it."}},
		"twice":              {head + "    destination: planted\n", []string{"line 5: pipelines.acme.destination is set twice: remove one of them."}},
		"name":               {"pipelines:\n  Acme Inc: {config: {}, destination: x}\n", []string{`line 2: pipelines["Acme Inc"] is not a valid pipeline name: use lowercase letters`}},
		"merge":              {head + "    <<: {paused: true}\n", []string{"line 5: pipelines.acme has a key that isn't a string"}},
		"infinite":           {head + "    retry: {attempts: .inf}\n", []string{"line 5: pipelines.acme.retry.attempts has an unsupported type"}},
		"schedule":           {head + "    schedule:\n      every: planted\n", []string{"line 6: pipelines.acme.schedule.every must be a duration such as 30m"}},
		"cron":               {head + "    schedule:\n      cron: 0 0 30 2 *\n", []string{"line 6: pipelines.acme.schedule.cron would never run"}},
		"zone":               {head + "    schedule: {time_zone: UTC}\n", []string{"line 5: pipelines.acme.schedule.time_zone applies only to cron"}},
		"wait":               {head + "    retry: {wait: 1d}\n", []string{"line 5: pipelines.acme.retry.wait must be a duration of at most 15m"}},
		"cut reference":      {"pipelines:\n  acme:\n    config: {api_key: \"${planted\"}\n    destination: x\n", []string{"line 3: pipelines.acme.config.api_key contains a malformed reference"}},
		"malformed":          {"pipelines:\n  acme:\n    config: {}\n    destination: a${1x}\n", []string{"line 4: pipelines.acme.destination contains a malformed reference"}},
		"malformed variable": {"pipelines:\n  acme:\n    config: {api_key: {env: a b}}\n    destination: x\n", []string{"line 3: pipelines.acme.config.api_key.env is not a valid name of an environment variable"}},
		"odd destination":    {"pipelines:\n  acme:\n    config: {}\n    destination: {path: planted}\n", []string{"line 4: pipelines.acme.destination.path is not a known field: the known ones are command, env, file."}},
		"both at once":       {"pipelines:\n  acme:\n    config: {}\n    destination: {env: A, file: b}\n", []string{"line 4: pipelines.acme.destination must have exactly one member."}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := pipeline.Parse("p.yaml", []byte(test.content))
			wrong, ok := errors.AsType[*pipeline.Problems](err)
			if !ok {
				t.Fatalf("got %v, want Problems", err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want an error with %q", err, want)
				}
			}
			if len(wrong.List) != len(test.want) {
				t.Errorf("got %d problems, want %d: %v", len(wrong.List), len(test.want), err)
			}
			if name != "far from any" && strings.Contains(err.Error(), "planted") {
				t.Errorf("a value is quoted: %v", err)
			}
		})
	}
}

func TestAliasesAreBounded(t *testing.T) {
	content := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 6 {
		content += string(rune('b'+i)) + ": &" + string(rune('b'+i)) + " [" + strings.Repeat("*"+string(rune('a'+i))+", ", 10) + "]\n"
	}
	_, err := pipeline.Parse("p.yaml", []byte(content))
	if err == nil || !strings.Contains(err.Error(), "more than 100000 values") {
		t.Errorf("got %v, want an error about its size", err)
	}
}

func TestOnly(t *testing.T) {
	f := parse(t, "p.yaml", full)
	if err := f.Only([]string{"acme", "acme"}); err != nil || len(f.Pipelines) != 1 || f.Pipelines[0].Name != "acme" {
		t.Errorf("got %+v, %v, want acme only", f.Pipelines, err)
	}
	if err := parse(t, "p.yaml", full).Only([]string{"idle"}); err == nil || !strings.Contains(err.Error(), "choose from zebra, acme") {
		t.Errorf("got %v, want an error about the paused pipeline", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte("pipelines: {a: {config: {api_key: '${'}, destination: {env: x}}}"))
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := pipeline.Parse("p.yaml", content)
		if err == nil && file == nil {
			t.Error("neither a file nor an error")
		}
		if err != nil {
			if _, ok := errors.AsType[*pipeline.Problems](err); !ok {
				t.Errorf("got %v, want Problems", err)
			}
		}
	})
}
