package temporal_test

import (
	"flag"
	"os"
	"testing"

	"github.com/stripe-connector/stripe-connector/orchestrate/temporal/internal/command"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal/internal/temporaltest"
)

// server is the Temporal server of this package's tests.
var server temporaltest.Server

// update records histories for TestReplay.
var update = flag.Bool("update", false, "record the histories in testdata")

// TestMain runs the tests or, in a child process, a command line or a worker.
func TestMain(m *testing.M) {
	if os.Getenv(childCommand) != "" {
		os.Exit(command.Main(os.Getenv))
	}
	if settings := os.Getenv(childSettings); settings != "" {
		os.Exit(child(settings))
	}
	temporaltest.Main(m, "internal/temporaltest/server", &server)
}
