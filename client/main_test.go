package client_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs the tests or, in a child process of TestKill, a sync.
func TestMain(m *testing.M) {
	if target := os.Getenv(childTarget); target != "" {
		os.Exit(child(target, os.Getenv(childDestination)))
	}
	goleak.VerifyTestMain(m)
}
