package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// airbyteMessages decodes the lines of an output of an airbyte command.
func airbyteMessages(t *testing.T, out string) (messages []map[string]any) {
	t.Helper()
	for line := range strings.Lines(out) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v in %.200s", err, line)
		}
		messages = append(messages, m)
	}
	return messages
}

// TestAirbyteDocument runs the commands of docs/airbyte.md in a folder with the files that it names: the configuration in the
// document, and a state of source-stripe.
func TestAirbyteDocument(t *testing.T) {
	document, err := os.ReadFile(repository + "/docs/airbyte.md")
	if err != nil {
		t.Fatal(err)
	}
	stripe := stripetest.NewServer(stripetest.Options{Objects: map[string]int{"*": 0, "/v1/customers": 5}})
	defer stripe.Close()
	dir := t.TempDir()
	t.Chdir(dir)
	save := func(name string, content any) {
		text, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var config map[string]any
	var commands []string
	for _, block := range fenced.FindAllStringSubmatch(string(document), -1) {
		switch block[1] {
		case "json":
			if err := json.Unmarshal([]byte(block[2]), &config); err != nil {
				t.Fatal(err)
			}
		case "sh":
			commands = append(commands, strings.Split(strings.TrimSpace(block[2]), "\n")...)
		}
	}
	config["client_secret"], config["api_base"] = plantedKey, stripe.URL
	delete(config, "account_id")
	save("config.json", config)
	at := fmt.Sprint(time.Now().Add(-time.Hour).Unix())
	save("state.json", []any{map[string]any{"type": "STREAM", "stream": map[string]any{"stream_descriptor": map[string]any{"name": "customers"}, "stream_state": map[string]any{"updated": at}}}})
	if len(commands) != 4 {
		t.Fatalf("the document has the commands %q", commands)
	}
	var customer string
	for id := range stripe.Truth("/v1/customers") {
		customer = id
	}
	if err := stripe.Update(customer); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second) // younger events aren't read yet
	for _, command := range commands {
		w := newWorld(t, nil)
		w.runs(t, exitOK, shellWords(strings.TrimPrefix(command, "stripe-connector "))...)
		messages := airbyteMessages(t, w.out.String())
		last := messages[len(messages)-1]
		switch {
		case strings.Contains(command, " spec"):
			if last["type"] != "SPEC" {
				t.Errorf("spec printed %v", last)
			}
		case strings.Contains(command, " check"):
			if fmt.Sprint(last["connectionStatus"]) != "map[status:SUCCEEDED]" {
				t.Errorf("check printed %v", last)
			}
		case strings.Contains(command, " discover"):
			streams := last["catalog"].(map[string]any)["streams"].([]any)
			streams = slices.DeleteFunc(streams, func(s any) bool { return s.(map[string]any)["name"] != "customers" })
			save("configured.json", map[string]any{"streams": []any{map[string]any{"stream": streams[0], "sync_mode": "incremental", "destination_sync_mode": "append_dedup"}}})
		default:
			if got := strings.Count(w.out.String(), `"type":"RECORD"`); got != 1 || !strings.Contains(w.out.String(), customer) {
				t.Errorf("read printed %d records after one change:\n%s", got, w.out)
			}
		}
	}
	left, err := filepath.Glob("*")
	if err != nil || len(left) != 3 {
		t.Errorf("the commands left files: %v, %v", left, err)
	}
}

// TestAirbyteFailures checks the exit codes and the messages of commands that can't begin.
func TestAirbyteFailures(t *testing.T) {
	w := newWorld(t, nil)
	w.runs(t, exitFailure, "airbyte", "read", "--config", "/nowhere/config.json", "--catalog", "/nowhere/catalog.json")
	messages := airbyteMessages(t, w.out.String())
	if len(messages) != 1 || messages[0]["type"] != "TRACE" || !strings.Contains(w.out.String(), "/nowhere/config.json") {
		t.Errorf("printed %s", w.out)
	}
	w = newWorld(t, nil)
	w.runs(t, exitUsage, "airbyte", "read", "--config", "config.json")
	says(t, w.err, `required flag(s) "catalog" not set`)
	w = newWorld(t, nil)
	w.runs(t, exitOK, "airbyte", "check", "--debug", "--config", write(t, "config.json", `{"client_secret":"no key"}`))
	says(t, w.out, `"status":"FAILED"`)
}

// TestAirbyteImage checks that the image says how to run it: AIRBYTE_ENTRYPOINT is its entry point.
func TestAirbyteImage(t *testing.T) {
	dockerfile, err := os.ReadFile(repository + "/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, stage, found := strings.Cut(string(dockerfile), " AS airbyte\n")
	stage, _, _ = strings.Cut(stage, "\nFROM ")
	variable := regexp.MustCompile(`(?m)^ENV AIRBYTE_ENTRYPOINT="(.*)"$`).FindStringSubmatch(stage)
	entry := regexp.MustCompile(`(?m)^ENTRYPOINT (\[.*\])$`).FindStringSubmatch(stage)
	var words []string
	if !found || variable == nil || entry == nil || json.Unmarshal([]byte(entry[1]), &words) != nil || strings.Join(words, " ") != variable[1] {
		t.Errorf("AIRBYTE_ENTRYPOINT is %q, and the entry point %q", variable, entry)
	}
	if len(words) != 2 || words[1] != "airbyte" || !strings.HasPrefix(words[0], "/") {
		t.Errorf("the entry point is %q", words)
	}
}
