// Package temporaltest runs a Temporal server for tests, with its data in memory, on the loopback interface only.
package temporaltest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"google.golang.org/grpc"
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

// Main builds and starts the server, sets s to it, runs the tests, stops the server, and exits. Call it in TestMain. source is
// the path of internal/temporaltest/server from the test's folder.
func Main(m *testing.M, source string, s *Server) {
	code, err := run(m, source, s)
	if err != nil {
		fmt.Fprintln(os.Stderr, "run a Temporal server:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M, source string, s *Server) (code int, err error) {
	stop, err := s.start(source)
	for range starts - 1 {
		if err == nil {
			break
		}
		fmt.Fprintln(os.Stderr, "the Temporal server didn't start, starting it again:", err)
		stop, err = s.start(source)
	}
	if err != nil {
		return 0, err
	}
	defer stop()
	s.Client, err = client.Dial(client.Options{HostPort: s.Address, Namespace: s.Namespace, Identity: "test", Logger: silent{},
		ConnectionOptions: client.ConnectionOptions{DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(patient)}}})
	if err != nil {
		return 0, err
	}
	defer s.Client.Close()
	return m.Run(), nil
}

// starts is how often to start the server if it fails: it chooses ports that another process may take before it listens.
const starts = 3

// start builds and starts the server, and returns a function that stops it.
func (s *Server) start(source string) (stop func(), err error) {
	cmd := exec.CommandContext(context.Background(), "go", "run", ".") // it caches the program, whose linking takes longer than all tests
	cmd.Dir, cmd.Stderr = source, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = in.Close() // it stops by itself, even if this process is killed
		_ = cmd.Wait()
	}
	if _, err := fmt.Fscanln(bufio.NewReader(out), &s.Address, &s.Namespace); err != nil {
		stop()
		return nil, fmt.Errorf("read its address: %w", err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return stop, nil
}

// silent is a logger that logs errors only.
type silent struct{}

var _ log.Logger = silent{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(message string, pairs ...any) {
	fmt.Fprintln(os.Stderr, append([]any{message}, pairs...)...)
}
