package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSync(t *testing.T) {
	for name, terminal := range map[string]bool{"lines": false, "bars": true} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "fruit.db")
			w := newWorld(t, fakeSource{})
			w.terminal = terminal
			w.environment["STRIPE_API_KEY"] = plantedKey
			w.environment["STRIPE_CONNECTOR_TO"] = "sqlite:" + path
			w.runs(t, exitOK, "sync")
			for _, line := range []string{
				"STREAM  STATUS    UPSERTS  DELETES  BYTES  SECONDS\n",
				"\napples  complete        3        0     69 ",
				"\ntotal   complete        6        0    135 ",
			} {
				says(t, w.out, line)
			}
			says(t, w.err, "warning: apples: Read anew.")
			if !terminal {
				says(t, w.err, "1 records, 2 requests, 50 %")
				says(t, w.err, "pears: complete, 3 records")
			}
			answer, err := ask(t.Context(), path, "SELECT id, n FROM apples ORDER BY n DESC LIMIT 1")
			if err != nil || answer != "id        n\napples_2  2\n" {
				t.Errorf("got %q, %v", answer, err)
			}
		})
	}
}

func TestDemo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stripe.db")
	w := newWorld(t, nil)
	w.runs(t, exitOK, "demo", "--to", "sqlite:"+path)
	for _, q := range questions() {
		says(t, w.out, q.words)
		answer, err := ask(t.Context(), path, q.sql)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(answer, "\n") < 3 {
			t.Errorf("%s\nis answered with too little: %s", q.words, answer)
		}
	}
	if err := claim(t.Context(), path); err != nil {
		t.Errorf("the demo does not know its own file again: %v", err)
	}
}

func TestDemoLeavesOtherFilesAlone(t *testing.T) {
	w := newWorld(t, nil)
	text := write(t, "stripe.db", "precious")
	w.runs(t, exitFailure, "demo", "--to", "sqlite:"+text)
	says(t, w.err, "was not made by the demo, which leaves it alone: choose another file with --to")
	if content, err := os.ReadFile(text); err != nil || string(content) != "precious" {
		t.Errorf("the file now holds %q, %v", content, err)
	}
	w.runs(t, exitFailure, "demo", "--to", "sqlite:"+filepath.Dir(text))
	says(t, w.err, "is a folder")
}

func TestDemoUsage(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"destination":    {[]string{"demo", "--to", "jsonl:x"}, "the demo writes to a SQLite file"},
		"takes no scale": {[]string{"demo", "--scale", "2"}, "unknown flag: --scale"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, fakeSource{})
			w.runs(t, exitUsage, test.args...)
			says(t, w.err, test.want)
		})
	}
}
