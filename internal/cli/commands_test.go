package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dustin/go-humanize"
	"github.com/google/go-cmp/cmp"
)

// write writes a file to a new folder.
func write(t *testing.T, name, content string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEveryCommandHasHelpWithExamples(t *testing.T) {
	w := newWorld(t, fakeSource{})
	for _, cmd := range w.root().Commands() {
		if cmd.Hidden { // it only says where to find the command
			continue
		}
		if cmd.Long == "" || cmd.Short == "" || !strings.Contains(cmd.Example, "stripe-connector "+cmd.Name()) {
			t.Errorf("command %s lacks help or an example", cmd.Name())
		}
		w.runs(t, exitOK, cmd.Name(), "--help")
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		w.runs(t, exitOK, "completion", shell)
	}
}

func TestUsage(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"unknown command": {[]string{"synch"}, `unknown command "synch"`},
		"unknown flag":    {[]string{"sync", "--nope"}, "unknown flag: --nope. Try 'stripe-connector sync --help'."},
		"flag is missing": {[]string{"sync"}, `required flag(s) "to" not set`},
		"argument":        {[]string{"spec", "x"}, `unknown command "x" for "stripe-connector spec"`},
		"neither":         {[]string{"read"}, "at least one of the flags in the group [streams catalog]"},
		"both":            {[]string{"read", "--streams", "a", "--catalog", "b"}, "[catalog streams] were all set"},
		"not a duration":  {[]string{"serve", "--drain", "soon"}, `invalid argument "soon" for "--drain"`},
		"format":          {[]string{"read", "--streams", "apples", "--format", "xml"}, `--format must be json or struct, got "xml"`},
		"mode":            {[]string{"read", "--streams", "apples", "--sync-mode", "x"}, `--sync-mode must be full_refresh or incremental, got "x"`},
		"limits":          {[]string{"simulate", "--limits", "x"}, `--limits must be off, test or live, got "x"`},
		"error rate":      {[]string{"simulate", "--error-rate", "1"}, "must be at least 0 and less than 1"},
		"environment":     {[]string{"serve"}, `environment variable STRIPE_CONNECTOR_DRAIN: invalid argument "never"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, fakeSource{})
			w.environment["STRIPE_API_KEY"] = plantedKey
			if name == "environment" {
				w.environment["STRIPE_CONNECTOR_DRAIN"] = "never"
			}
			w.runs(t, exitUsage, test.args...)
			says(t, w.err, test.want)
			if lines := strings.Count(w.err.String(), "\n"); lines != 1 {
				t.Errorf("got %d lines, want one: %s", lines, w.err)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	tests := map[string]struct {
		config string
		args   []string
		want   string
	}{
		"no configuration": {"", []string{"discover"}, "name a file with --config, or the key with --api-key-file or STRIPE_API_KEY"},
		"no such file":     {"", []string{"discover", "--config", "/nowhere/config.json"}, "read the configuration: open /nowhere"},
		"not JSON":         {"{\n\"api_key\": " + plantedKey + "}", []string{"discover", "--config", "-"}, "is not valid JSON at line 2, column 12"},
		"not an object":    {`["` + plantedKey + `"]`, []string{"discover", "--config", "-"}, `is not a JSON object: write it as {"api_key"`},
		"violations": {`{}`, []string{"discover", "--config", "-"},
			"Fix these fields and try again:\n  config.api_key: Give the key.\n  config.start_date: Write it as 2024-01-31.\n"},
		"check": {`{"api_key":"refused"}`, []string{"check", "--config", "-"},
			"The key was refused: make a new one.\n  Stripe's request id, for Stripe support: req_1\n"},
		"folder in a file":    {`{"api_key":"k"}`, []string{"sync", "--config", "-", "--to", "jsonl:" + os.DevNull + "/x"}, "open destination"},
		"unknown destination": {`{"api_key":"k"}`, []string{"sync", "--config", "-", "--to", "x.db"}, "doesn't start with a kind: use a name such as "},
		"no service":          {`{"api_key":"` + plantedKey + `"}`, []string{"discover", "--config", "-", "--target", "127.0.0.1:1"}, "Check that it is running and that the target is correct."},
		"not healthy":         {"", []string{"healthcheck", "--target", "127.0.0.1:1"}, "127.0.0.1:1 is not healthy: The service cannot be reached"},
		"port in use":         {"", []string{"serve", "--listen", "256.0.0.1:1"}, "choose another address with --listen"},
		"simulate elsewhere":  {"", []string{"simulate", "--listen", "192.0.2.1:1"}, "requires a loopback address"},
		"no catalog":          {`{"api_key":"k"}`, []string{"read", "--config", "-", "--catalog", "/nowhere/c.json"}, "read the catalog"},
		"no state":            {`{"api_key":"k"}`, []string{"read", "--config", "-", "--streams", "apples", "--state", "/nowhere/s.json"}, "read the states"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, fakeSource{})
			w.stdin = strings.NewReader(test.config)
			w.runs(t, exitFailure, test.args...)
			says(t, w.err, test.want)
		})
	}
}

func TestSpecCheckDiscover(t *testing.T) {
	w := newWorld(t, fakeSource{})
	w.environment["STRIPE_API_KEY"] = " " + plantedKey + "\n"
	for _, command := range []string{"spec", "check", "discover"} {
		w.out.buffer.Reset()
		w.runs(t, exitOK, command)
		var object map[string]any
		if err := json.Unmarshal([]byte(w.out.String()), &object); err != nil {
			t.Errorf("%s printed no JSON: %v", command, err)
		}
	}
	says(t, w.out, `"name": "pears"`)
}

// TestKeyOfTheConfiguration checks where the key is taken from: the configuration, which may refer to a file, a command or a
// variable, --api-key-file, and the environment, in this order.
func TestKeyOfTheConfiguration(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "stripe.key"), []byte("of a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	flag := write(t, "another.key", "of the flag\n")
	tests := map[string]struct{ config, file, want string }{
		"own key":             {`{"api_key":"own"}`, flag, "own"},
		"empty key":           {`{"api_key":""}`, "", plantedKey},
		"no key":              {`{"start_date":"2024-01-31"}`, "", plantedKey},
		"no configuration":    {``, "", plantedKey},
		"flag":                {`{"start_date":"2024-01-31"}`, flag, "of the flag"},
		"flag alone":          {``, flag, "of the flag"},
		"file":                {`{"api_key":{"file":"stripe.key"}}`, flag, "of a file"},
		"command":             {`{"api_key":{"command":["cat","stripe.key"]}}`, flag, "of a file"},
		"variable":            {`{"api_key":{"env":"ANOTHER_KEY"}}`, flag, "of a variable"},
		"no file":             {`{"api_key":{"file":"nothing.key"}}`, "", "config.api_key refers to a file that can't be read"},
		"no file of the flag": {``, "/nowhere/stripe.key", "--api-key-file refers to a file that can't be read"},
		"empty file":          {``, os.DevNull, "--api-key-file refers to the file " + os.DevNull + ", which is empty"},
		"failing command":     {`{"api_key":{"command":["cat","nothing", "secret argument"]}}`, "", "config.api_key refers to the command cat, which failed (exit status 1): run it by hand"},
		"no command":          {`{"api_key":{"command":["/nowhere/command"]}}`, "", "config.api_key refers to the command /nowhere/command, which failed"},
		"silent command":      {`{"api_key":{"command":["true"]}}`, "", "which printed nothing"},
		"no variable":         {`{"api_key":{"env":"NONE"}}`, "", "config.api_key refers to the environment variable NONE, which is not set"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, fakeSource{})
			w.environment["STRIPE_API_KEY"], w.environment["ANOTHER_KEY"] = plantedKey, "of a variable"
			c := call{keyPath: test.file}
			if test.config != "" {
				c.configPath = filepath.Join(folder, "config.json")
				if err := os.WriteFile(c.configPath, []byte(test.config), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			config, err := c.config(t.Context(), w.app)
			if err != nil {
				if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
					t.Errorf("got %v, want %q", err, test.want)
				}
				return
			}
			if got := config.GetFields()["api_key"].GetStringValue(); got != test.want {
				t.Errorf("got another key than wanted")
			}
		})
	}
}

func TestRead(t *testing.T) {
	w := newWorld(t, fakeSource{})
	w.environment["STRIPE_API_KEY"] = plantedKey
	w.runs(t, exitOK, "read", "--streams", "apples,pears")
	lines := strings.Split(strings.TrimSpace(w.out.String()), "\n")
	for i, line := range lines {
		var m map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &m); err != nil || len(m) != 1 {
			t.Errorf("line %d is not one message: %s", i, line)
		}
	}
	says(t, w.out, `{"data":"{\"id\":\"apples_0\",\"n\":0}","operation":"OPERATION_UPSERT"`)
	if !strings.HasPrefix(lines[len(lines)-1], `{"summary":`) {
		t.Errorf("the last line is %s, want the summary", lines[len(lines)-1])
	}

	printed := write(t, "out.jsonl", w.out.String())
	w.out.buffer.Reset()
	w.runs(t, exitOK, "read", "--streams", "apples", "--state", printed, "--format", "struct")
	says(t, w.out, `"dataStruct":{"id":"apples_0","n":0}`)
}

func TestReadAcceptsDiscoverOutput(t *testing.T) {
	w := newWorld(t, fakeSource{})
	w.environment["STRIPE_API_KEY"] = plantedKey
	w.runs(t, exitOK, "discover")
	catalog := write(t, "catalog.json", w.out.String())
	w.out.buffer.Reset()
	w.runs(t, exitOK, "read", "--catalog", catalog)
	says(t, w.out, "apples_2")
	says(t, w.out, "pears_2")
}

func TestReportTable(t *testing.T) {
	got := align([][]string{{"STREAM", "N"}, {"a", humanize.Comma(1234567)}, {"longer", humanize.Comma(12)}}, 1)
	want := "STREAM          N\na       1,234,567\nlonger         12\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
