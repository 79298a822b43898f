package e2e

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// TestOddObjectsAreReported syncs a list containing an object that cannot be read and one with a field that the schema doesn't
// describe. The sync's report, the run's log and the report over many runs must all name the object and the field.
func TestOddObjectsAreReported(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	t.Parallel()
	stripe := simulate(t, stripetest.Options{Objects: map[string]int{"/v1/coupons": 30, "*": 0}})
	ids := slices.Collect(maps.Keys(maps.Collect(stripe.Truth("/v1/coupons"))))
	stripe.Break(ids[0], stripetest.ServerError)
	if _, err := stripe.Distort(ids[1], stripetest.Edit{Property: "hologram", JSON: `{"name":"secret"}`}); err != nil {
		t.Fatal(err)
	}

	folder := t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		var output, printed strings.Builder
		cmd := command(t, args...)
		cmd.Stderr, cmd.Stdout = &output, &printed
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v: %v\n%s%s", args, err, &output, &printed)
		}
		return printed.String() + output.String()
	}
	config := writeConfig(t, stripe.URL)
	out := run("sync", "--config", config, "--select", "coupons", "--to", "jsonl:"+filepath.Join(folder, "lines"))
	for _, want := range []string{"could not be read", "coupons created at", "29", "New fields, which the schema doesn't describe: hologram (1)."} {
		if !strings.Contains(out, want) {
			t.Errorf("the report of a sync lacks %q:\n%s", want, out)
		}
	}

	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	pipelines := filepath.Join(folder, "pipelines.yaml")
	content := "pipelines:\n  acme:\n    config: " + string(text) + "\n    select: [coupons]\n    destination: jsonl:other\n"
	if err := os.WriteFile(pipelines, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	run("run", "--once", pipelines)
	var report struct {
		Pipelines []struct {
			SetAside int64 `json:"set_aside"`
			Streams  []struct {
				Loaded   int64  `json:"loaded"`
				SetAside int64  `json:"set_aside"`
				Error    string `json:"error"`
				Drift    struct {
					NewFields []struct{ Path string } `json:"new_fields"`
				} `json:"drift"`
			} `json:"streams"`
		} `json:"pipelines"`
	}
	cmd := command(t, "report", "--format", "json", pipelines)
	printed, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(printed, &report); err != nil {
		t.Fatalf("%v in %s", err, printed)
	}
	if len(report.Pipelines) != 1 || len(report.Pipelines[0].Streams) != 1 {
		t.Fatalf("the report is %s", printed)
	}
	p := report.Pipelines[0]
	if s := p.Streams[0]; p.SetAside != 1 || s.SetAside != 1 || s.Loaded != 29 || !strings.Contains(s.Error, "coupons created at") {
		t.Errorf("the report is %s", printed)
	}
	if fields := p.Streams[0].Drift.NewFields; len(fields) != 1 || fields[0].Path != "hologram" {
		t.Errorf("the report is %s", printed)
	}
	if table := run("report", pipelines); !strings.Contains(table, "coupons: new fields, which the schema doesn't describe: hologram (1)") {
		t.Errorf("the report is %s", table)
	}
	if log := run("logs", "last", pipelines); !strings.Contains(log, "set aside") || !strings.Contains(log, "could not be read") || !strings.Contains(log, "hologram") {
		t.Errorf("the log of the run is %s", log)
	}
}
