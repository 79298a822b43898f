package postgres_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs fewer random cases than usual unless a flag says otherwise, since each creates a schema and several
// connections.
func TestMain(m *testing.M) {
	if checks := flag.Lookup("rapid.checks"); checks != nil {
		_ = checks.Value.Set("10") // a number is one
	}
	flag.Parse()
	goleak.VerifyTestMain(m)
}
