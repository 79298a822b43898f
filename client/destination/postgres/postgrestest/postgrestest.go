// Package postgrestest starts PostgreSQL servers, and poolers in front of them, for tests. Each has its own socket.
package postgrestest

import (
	"bytes"
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// patience is the maximum time for a server to start.
const patience = time.Minute

// Server is a running server.
type Server struct {
	folder string // of the socket
	args   []string
	binary string
	log    safeBuffer
	cmd    *exec.Cmd
}

// safeBuffer is a buffer that is safe for a server to write to while a test reads it.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// Start starts a server that stops when the test ends. If PostgreSQL is not installed, the test is skipped. Root runs the
// server as the user postgres or nobody, since PostgreSQL refuses to run as root. Settings look like "fsync=on". By
// default the server doesn't flush to disk, since tests need no protection from a power loss.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	initdb, postgres := find("initdb"), find("postgres")
	if initdb == "" || postgres == "" {
		t.Skip("PostgreSQL is not installed: install it (Debian: apt-get install postgresql) to run this test")
	}
	folder := folder(t)
	s := &Server{folder: folder, binary: postgres}
	data := filepath.Join(folder, "data")
	if out, err := command(t, folder, initdb, "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync").
		CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	s.args = []string{"-D", data, "-k", folder, "-c", "listen_addresses="}
	for _, setting := range append([]string{"fsync=off", "autovacuum=off"}, settings...) {
		s.args = append(s.args, "-c", setting)
	}
	s.start(t)
	t.Cleanup(func() {
		s.stop(os.Interrupt)
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.log.String())
		}
	})
	return s
}

// folder creates a folder for sockets and removes it when the test ends.
func folder(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "pg") // short, since a socket's path can have at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

// command returns a command that runs in a folder and owns it. It must be stopped with a signal, and doesn't end with the
// test.
func command(t testing.TB, folder, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
	cmd.Dir = folder
	if err := asUser(cmd, folder); err != nil {
		t.Skipf("PostgreSQL does not run as root, and there is no other user to run it: %v", err)
	}
	return cmd
}

func (s *Server) start(t testing.TB) {
	t.Helper()
	s.cmd = command(t, s.folder, s.binary, s.args...)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, s.URL(""), &s.log)
}

// await waits until a server answers at an address.
func await(t testing.TB, address string, log *safeBuffer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, address)
		if err == nil {
			_ = conn.Close(ctx)
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the server does not start: %v\n%s", err, log.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop stops the server with a signal: os.Interrupt for a fast, orderly shutdown, syscall.SIGQUIT for a crash.
func (s *Server) stop(signal os.Signal) {
	_ = s.cmd.Process.Signal(signal)
	_ = s.cmd.Wait()
}

// Restart restarts the server as an administrator would, even if clients are connected.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.stop(os.Interrupt)
	s.start(t)
}

// Crash stops the server without a shutdown and starts it again.
func (s *Server) Crash(t testing.TB) {
	t.Helper()
	s.stop(syscall.SIGQUIT)
	s.start(t)
}

// Standby restarts the server as a read-only standby that waits for its primary.
func (s *Server) Standby(t testing.TB) {
	t.Helper()
	s.stop(os.Interrupt)
	if err := os.WriteFile(filepath.Join(s.folder, "data", "standby.signal"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s.start(t)
}

// URL returns the address of the server's database, with the options of a destination, such as "schema=a&deletes=soft".
func (s *Server) URL(options string) string { return s.Address("tester", "postgres", options) }

// Address returns the address of a database for a user.
func (s *Server) Address(user, database, options string) string {
	return address(s.folder, user, database, options)
}

func address(folder, user, database, options string) string {
	u := url.URL{Scheme: "postgres", User: url.User(user), Path: "/" + database, RawQuery: "host=" + url.QueryEscape(folder)}
	if options != "" {
		u.RawQuery += "&" + options
	}
	return u.String()
}

// find returns the path of a PostgreSQL program, of the newest version installed, or "" if there is none.
func find(program string) string {
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + program) // the only possible error is a malformed pattern
	if len(found) == 0 {
		return ""
	}
	return slices.Max(found)
}
