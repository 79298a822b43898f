package postgres_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// TestMain proves with fewer cases than usual, unless told otherwise: each makes a schema and several connections.
func TestMain(m *testing.M) {
	if checks := flag.Lookup("rapid.checks"); checks != nil {
		_ = checks.Value.Set("10") // a number is one
	}
	flag.Parse()
	goleak.VerifyTestMain(m)
}
