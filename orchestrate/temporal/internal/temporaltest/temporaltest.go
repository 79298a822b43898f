// Package temporaltest runs a Temporal server in the process of a test, with its data in memory.
package temporaltest

import (
	"fmt"
	"os"
	"testing"

	sdklog "go.temporal.io/sdk/log"

	"go.temporal.io/sdk/client"
	"go.temporal.io/server/temporaltest" // the server's own; it listens on the loopback interface only
)

// Server is a running server with one namespace.
type Server struct {
	// Address is the address of its frontend, host:port.
	Address string
	// Namespace is its namespace. Tests share it, so each needs pipelines and a task queue of its own.
	Namespace string
	// Client is a client of the namespace.
	Client client.Client
}

// Main starts a server, sets s to it, runs the tests, stops the server, and exits. Call it in TestMain.
func Main(m *testing.M, s *Server) {
	started := temporaltest.NewServer(temporaltest.WithBaseClientOptions(client.Options{Identity: "test", Logger: silent{}}))
	*s = Server{started.GetFrontendHostPort(), started.GetDefaultNamespace(), started.GetDefaultClient()}
	code := m.Run()
	started.Stop()
	os.Exit(code)
}

// silent is a logger that logs errors only.
type silent struct{}

var _ sdklog.Logger = silent{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(message string, pairs ...any) {
	fmt.Fprintln(os.Stderr, append([]any{message}, pairs...)...)
}
