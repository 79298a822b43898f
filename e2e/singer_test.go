package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// shellBlocks returns the content of the sh blocks of a document, without their indentation.
func shellBlocks(document string) []string {
	var blocks []string
	for _, block := range regexp.MustCompile("(?ms)^( *)```sh\n(.*?)^ *```").FindAllStringSubmatch(document, -1) {
		blocks = append(blocks, strings.ReplaceAll("\n"+block[2], "\n"+block[1], "\n"))
	}
	return blocks
}

// singerFolder returns a folder with the files of a pipeline with tap-stripe: its configuration, a catalog that selects two
// streams, and a state.
func singerFolder(t *testing.T, stripe *stripetest.Server) string {
	t.Helper()
	folder := t.TempDir()
	at := time.Now().Unix()
	for name, content := range map[string]string{
		"config.json": fmt.Sprintf(`{"client_secret":"sk_test_123","account_id":"","start_date":"2020-01-01T00:00:00Z","api_base":%q,"lookback_window":"600"}`, stripe.URL),
		"catalog.json": `{"streams":[
			{"tap_stream_id":"customers","metadata":[{"breadcrumb":[],"metadata":{"selected":true}}]},
			{"tap_stream_id":"invoice_line_items","metadata":[{"breadcrumb":[],"metadata":{"selected":true}}]},
			{"tap_stream_id":"charges","metadata":[{"breadcrumb":[],"metadata":{}}]}]}`,
		"state.json": fmt.Sprintf(`{"bookmarks":{"customers":{"created":%d},"customers_events":{"updates_created":%d},"invoice_line_items":{"date":%d},"invoice_line_items_events":{"updates_created":%d}}}`,
			at, at-7*86400, at, at-7*86400),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// TestSingerDocument runs the commands of docs/singer.md on the files that tap-stripe leaves.
func TestSingerDocument(t *testing.T) {
	document, err := os.ReadFile("../docs/singer.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	stripe := simulate(t, stripetest.Options{Scale: 0.2})
	folder := singerFolder(t, stripe)
	blocks := shellBlocks(string(document))
	if len(blocks) != 4 {
		t.Fatalf("the document has %d blocks", len(blocks))
	}
	for i, block := range blocks {
		stripe.ResetRequests()
		cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", block)
		cmd.Dir = folder
		cmd.Env = append(os.Environ(), "PATH="+buildDir+string(os.PathListSeparator)+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", block, err, out)
		}
		if bytes.Contains(out, []byte("WARNING")) {
			t.Errorf("%s warned: %s", block, out)
		}
		if lists := stripe.RequestCount("/v1/invoices") + stripe.RequestCount("/v1/charges"); i > 1 && lists > 0 {
			t.Errorf("%s read %d pages of lists, although the state is young", block, lists)
		}
	}
	var state struct {
		Bookmarks map[string]map[string]int64
		Ours      map[string]any `json:"stripe_connector"`
	}
	content, err := os.ReadFile(filepath.Join(folder, "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &state); err != nil {
		t.Fatal(err)
	}
	young := time.Now().Add(-10 * time.Minute).Unix()
	if state.Bookmarks["customers_events"]["updates_created"] < young || state.Bookmarks["invoice_line_items"]["date"] < young || len(state.Ours) != 2 {
		t.Errorf("tap-stripe can't go back to %s", content)
	}
	var catalog struct {
		Streams []struct {
			ID string `json:"tap_stream_id"`
		}
	}
	if content, err = os.ReadFile(filepath.Join(folder, "discovered.json")); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &catalog); err != nil || len(catalog.Streams) < 100 {
		t.Errorf("discovered %d streams, %v", len(catalog.Streams), err)
	}
}

// TestSingerProcess runs the command as a runner does: with short flags, with a target that ends, and with nonsense.
func TestSingerProcess(t *testing.T) {
	stripe := simulate(t, stripetest.Options{Scale: 0.2})
	folder := singerFolder(t, stripe)
	tests := map[string]struct {
		script string
		code   int
		want   string // in the output
	}{
		"short flags":     {"stripe-connector singer -c config.json -p catalog.json -s state.json", 0, `"type":"STATE"`},
		"discover":        {"stripe-connector singer -c config.json -d", 0, `"tap_stream_id":"payout_transactions"`},
		"help":            {"stripe-connector singer --help", 0, "--properties"},
		"metrics":         {"stripe-connector singer -c config.json --catalog catalog.json 2>&1 >/dev/null", 0, `INFO METRIC: {"type":"counter","metric":"record_count"`},
		"a target ended":  {"stripe-connector singer -c config.json --catalog catalog.json | true; sleep 0.1", 0, "Has the target ended?"},
		"no config":       {"stripe-connector singer", 2, "required flag"},
		"no such file":    {"stripe-connector singer -c nowhere.json", 1, "CRITICAL read the configuration"},
		"nonsense":        {"echo '{' > bad.json; stripe-connector singer -c config.json --catalog catalog.json -s bad.json", 1, "CRITICAL state: must be a JSON object"},
		"an empty state":  {": > bad.json; stripe-connector singer -c config.json --catalog catalog.json -s bad.json", 1, "CRITICAL state: must be a JSON object"},
		"a malformed key": {`echo '{"client_secret":"sk_test_Planted-Secret","start_date":"2020-01-01"}' > bad.json; stripe-connector singer -c bad.json -d`, 1, "CRITICAL config.client_secret: is malformed"},
	}
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		t.Run(name, func(t *testing.T) {
			test := tests[name]
			cmd := exec.CommandContext(t.Context(), "sh", "-c", test.script)
			cmd.Dir = folder
			cmd.Env = append(os.Environ(), "PATH="+buildDir+string(os.PathListSeparator)+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != test.code || !strings.Contains(string(out), test.want) {
				t.Errorf("exited with %d (%v), want %d and %q in\n%.2000s", code, err, test.code, test.want, out)
			}
			if bytes.Contains(out, []byte("Planted")) {
				t.Errorf("the key was printed: %.500s", out)
			}
		})
	}
}

// TestSingerStops sends SIGTERM to a run. It ends with a STATE, from which the next run continues.
func TestSingerStops(t *testing.T) {
	stripe := simulate(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/customers": 3000}, Latency: func(string) time.Duration { return 20 * time.Millisecond }})
	folder := singerFolder(t, stripe)
	run := func(stop bool, args ...string) (records int, last []byte) {
		cmd := command(t, append([]string{"singer", "-c", "config.json", "--catalog", "catalog.json"}, args...)...)
		cmd.Dir = folder
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<22)
		for lines.Scan() {
			if last = bytes.Clone(lines.Bytes()); bytes.HasPrefix(last, []byte(`{"type":"RECORD"`)) {
				if records++; stop && records == 1 {
					if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); (code == 1) != stop || code > 1 || !bytes.HasPrefix(last, []byte(`{"type":"STATE"`)) {
			t.Fatalf("exited with %d after %d records and %.100s", code, records, last)
		}
		return records, last
	}
	first, state := run(true)
	value := bytes.TrimSuffix(bytes.TrimPrefix(state, []byte(`{"type":"STATE","value":`)), []byte("}"))
	if err := os.WriteFile(filepath.Join(folder, "state.json"), value, 0o600); err != nil {
		t.Fatal(err)
	}
	second, _ := run(false, "--state", "state.json")
	if first == 0 || second == 0 || first+second < 3000 || first+second > 3600 {
		t.Errorf("the runs sent %d and %d records", first, second)
	}
}
