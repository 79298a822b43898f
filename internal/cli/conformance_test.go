package cli

import "testing"

func TestConformance(t *testing.T) {
	w := newWorld(t, nil)
	w.runs(t, exitFailure, "conformance", "--only", "backfill", "--", "sh", "-c", `cat "$STRIPE_CONNECTOR_CONFIG"; echo; echo "at $STRIPE_CONNECTOR_TARGET" --verbose >&2; exit 3`)
	says(t, w.out, "backfill  FAILED\n")
	says(t, w.out, "\nbackfill: the client failed: exit status 3.\n  A client must read all records of an account, and exit with 0.\n  | {\"api_base\":")
	says(t, w.out, "  | at 127.0.0.1:")
	says(t, w.err, "the client failed in backfill")

	w = newWorld(t, nil)
	w.runs(t, exitFailure, "conformance", "--format", "json", "--", "sh", "-c", "exit 0")
	says(t, w.out, `"error": "customers: 50 of 50 rows missing: `)
	says(t, w.err, "12 other scenarios were not run, because the client would fail there, too.")

	w = newWorld(t, nil)
	w.runs(t, exitOK, "conformance", "--only", "refused", "--quiet", "sh", "-c", `exit 1`)
	says(t, w.out, "refused   passed\n")

	w = newWorld(t, nil)
	w.runs(t, exitUsage, "conformance", "--only", "kil", "--", "true")
	says(t, w.err, `--only must be names of scenarios, got "kil"`)
}
