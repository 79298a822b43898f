package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVersions(t *testing.T) {
	if testing.Short() {
		t.Skip("has nothing concurrent, and is slow with the race detector")
	}
	w := newWorld(t, nil)
	w.runs(t, exitOK, "versions")
	says(t, w.out, "2023-10-16  (default)\n")
	says(t, w.out, "2026-08-26.dahlia\naccount")
	w.out.buffer.Reset()
	w.runs(t, exitOK, "versions", "2023-10-16", "2026-08-26.dahlia", "--streams", "charges,invoice_payments,issuing_settlements,tax_codes")
	says(t, w.out, "charges:\n  gone: invoice")
	says(t, w.out, "invoice_payments: the stream is new\n")
	says(t, w.out, "issuing_settlements: the stream is gone\n")
	if strings.Contains(w.out.String(), "tax_codes") {
		t.Errorf("tax_codes don't change: %s", w.out)
	}
	w.out.buffer.Reset()
	w.runs(t, exitOK, "versions", "2026-07-29.dahlia", "2026-08-26.dahlia")
	says(t, w.out, "Nothing changes from 2026-07-29.dahlia to 2026-08-26.dahlia.\n")
	w.runs(t, exitUsage, "versions", "2023-10-16")
	w.runs(t, exitFailure, "versions", "2023-10-16", "2099-01-01")
	says(t, w.err, "whose shapes this release doesn't know")
	w.runs(t, exitFailure, "versions", "2023-10-16", "2026-08-26.dahlia", "--streams", "chargs")
	says(t, w.err, `Did you mean "charges"?`)
}

// TestDiscoverDiff compares the catalogs of two API versions.
func TestDiscoverDiff(t *testing.T) {
	if testing.Short() {
		t.Skip("has nothing concurrent, and is slow with the race detector")
	}
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	old := write("old.json", `{"api_key":"`+plantedKey+`"}`)
	young := write("new.json", `{"api_key":"`+plantedKey+`","api_version":"2026-08-26.dahlia"}`)
	w := newWorld(t, nil)
	w.runs(t, exitOK, "discover", "--config", old)
	catalog := write("catalog.json", w.out.String())
	w.out.buffer.Reset()
	w.runs(t, exitOK, "discover", "--config", old, "--diff", catalog)
	says(t, w.out, "The catalogs have the same streams and fields.\n")
	w.out.buffer.Reset()
	w.runs(t, exitOK, "discover", "--config", young, "--diff", catalog)
	says(t, w.out, "charges:\n  gone: invoice")
	says(t, w.out, "invoice_payments: the stream is new\n")
	says(t, w.out, "usage_record_summaries: the stream is gone\n")
	w.runs(t, exitFailure, "discover", "--config", young, "--diff", old)
	says(t, w.err, "is not the output of discover")
}
