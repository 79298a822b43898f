package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunOnceRunsLogsReport(t *testing.T) {
	path := writePipelines(t)
	w := newWorld(t, fakeSource{})
	w.environment["FRUIT_KEY"] = plantedKey
	w.runs(t, exitOK, "run", "--once", path)
	says(t, w.out, "1    fruit     ")
	says(t, w.err, "fruit: run 1 succeeded")
	for _, test := range []struct {
		args []string
		want []string
	}{
		{[]string{"runs", path}, []string{"RUN  PIPELINE  STARTED", "succeeded", "  6        0"}},
		{[]string{"logs", "last", path}, []string{"warning: apples: Re-read.", "apples  complete          3       3        0", "in 1 Read."}},
		{[]string{"logs", "1", path}, []string{"info: Attempt 1 of at most 3"}},
		{[]string{"report", path}, []string{"1 run, 1 succeeded, 0 failed", "pears   complete          3       3        0", "total                     6       6        0\n"}},
		{[]string{"report", "--format", "html", path}, []string{"<!doctype html>", "<b>6</b><span class=\"soft\">rows loaded</span>"}},
	} {
		w.out.buffer.Reset()
		w.runs(t, exitOK, test.args...)
		for _, want := range test.want {
			says(t, w.out, want)
		}
	}
	for _, args := range [][]string{{"runs", "--format", "json", path}, {"logs", "last", "--format", "json", path}, {"report", "--format", "json", path}} {
		w.out.buffer.Reset()
		w.runs(t, exitOK, args...)
		var value any
		if err := json.Unmarshal([]byte(w.out.String()), &value); err != nil {
			t.Errorf("%q printed no JSON: %v", args, err)
		}
		says(t, w.out, `"extracted": 3`)
	}
	out := filepath.Join(t.TempDir(), "report.html")
	w.runs(t, exitOK, "report", "--out", out, path)
	if content, err := os.ReadFile(out); err != nil || !strings.HasPrefix(string(content), "<!doctype html>") {
		t.Errorf("got %.20s, %v, want a page", content, err)
	}
}

func TestRunOnceFails(t *testing.T) {
	path := write(t, "pipelines.yaml", `pipelines:
  good: {config: {api_key: k}, destination: "sqlite:good.db"}
  bad: {config: {api_key: k}, select: [aples], destination: "sqlite:bad.db"}
`)
	w := newWorld(t, fakeSource{})
	w.runs(t, exitFailure, "run", "--once", path)
	says(t, w.err, `pipeline bad: The selection of streams is invalid.`)
	says(t, w.err, `Did you mean "apples"?`)
	says(t, w.out, "succeeded")
	says(t, w.out, "failed")
	w.runs(t, exitOK, "run", "--once", "--pipeline", "good", path)
}

// TestRunUsesTheTokenOfItsTarget runs pipelines at a service whose token is in a file that doesn't exist.
func TestRunUsesTheTokenOfItsTarget(t *testing.T) {
	w := newWorld(t, fakeSource{})
	w.environment["FRUIT_KEY"] = plantedKey
	w.runs(t, exitFailure, "run", "--once", "--target", "127.0.0.1:1", "--token-file", "missing.token", writePipelines(t))
	says(t, w.err, "missing.token")
}

func TestRunCheck(t *testing.T) {
	w := newWorld(t, fakeSource{})
	w.environment["FRUIT_KEY"] = plantedKey
	path := writePipelines(t)
	w.runs(t, exitOK, "run", "--check", path)
	says(t, w.out, "fruit: 2 streams, every 1h, next at ")
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), "fruit.db")); err == nil {
		t.Error("a check made the destination")
	}
	for want, content := range map[string]string{
		"config.api_key refers to the environment variable NONE, which is not set":          `{config: {api_key: {env: NONE}}, destination: "sqlite:a.db"}`,
		`destination "a.db" doesn't start with a kind: use a name such as sqlite:stripe.db`: `{config: {api_key: k}, destination: a.db}`,
		`There is no stream "aples". Did you mean "apples"?`:                                `{config: {api_key: k}, destination: "sqlite:a.db", select: [aples]}`,
		"The key was refused: make a new one.":                                              `{config: {api_key: refused}, destination: "sqlite:a.db"}`,
		"line 1: pipelines.a.every is not a known field":                                    `{config: {api_key: k}, destination: "sqlite:a.db", every: 1h}`,
	} {
		w := newWorld(t, fakeSource{})
		w.runs(t, exitFailure, "run", "--check", write(t, "p.yaml", "pipelines: {a: "+content+"}"))
		says(t, w.err, want)
	}
}

func TestRunSchemaIsJSON(t *testing.T) {
	w := newWorld(t, fakeSource{})
	w.runs(t, exitOK, "run", "--schema")
	var schema map[string]any
	if err := json.Unmarshal([]byte(w.out.String()), &schema); err != nil || schema["$defs"] == nil {
		t.Errorf("got %v, %v", schema, err)
	}
}

func TestPipelineCommandsSayWhatToDoNext(t *testing.T) {
	fresh := writePipelines(t)
	tests := map[string]struct {
		exit int
		args []string
		want string
	}{
		"no file":       {exitFailure, []string{"run", "/nowhere/p.yaml"}, "create it with `stripe-connector init /nowhere/p.yaml`"},
		"nothing ran":   {exitFailure, []string{"runs", fresh}, "start with `stripe-connector run --once"},
		"no pipeline":   {exitFailure, []string{"run", "--pipeline", "figs", fresh}, `there is no pipeline "figs"`},
		"run":           {exitUsage, []string{"logs", "first", fresh}, `RUN must be the number of a run, or last, got "first"`},
		"format":        {exitUsage, []string{"report", "--format", "pdf", fresh}, `--format must be table or json or html, got "pdf"`},
		"days":          {exitUsage, []string{"report", "--days", "0", fresh}, "--days must be between 1 and 3650, got 0"},
		"once or check": {exitUsage, []string{"run", "--once", "--check", fresh}, "none of the others can be"},
		"init again":    {exitFailure, []string{"init", fresh}, "already exists: choose another file"},
		"init nowhere":  {exitFailure, []string{"init", "/nowhere/p.yaml"}, "folder /nowhere doesn't exist: create it first"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, fakeSource{})
			w.runs(t, test.exit, test.args...)
			says(t, w.err, test.want)
		})
	}
	w := newWorld(t, fakeSource{})
	w.environment["FRUIT_KEY"] = "k"
	w.runs(t, exitOK, "run", "--once", fresh)
	w.runs(t, exitFailure, "logs", "7", fresh)
	says(t, w.err, "run 7 doesn't exist: `stripe-connector runs` lists all runs")
}
