package temporal_test

import (
	"testing"

	"github.com/stripe-connector/stripe-connector/orchestrate/temporal/internal/temporaltest"
)

// server is the Temporal server of this package's tests.
var server temporaltest.Server

func TestMain(m *testing.M) { temporaltest.Main(m, "internal/temporaltest/server", &server) }
