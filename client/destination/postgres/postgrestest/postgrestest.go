// Package postgrestest starts PostgreSQL servers for tests, on a socket of their own.
package postgrestest

import (
	"bytes"
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// patience is how long a server may take to start.
const patience = time.Minute

// Server is a running server.
type Server struct{ folder string }

// Start starts a server that ends with the test, which it skips where PostgreSQL is not installed. Root runs the server as
// the user postgres or nobody, since PostgreSQL refuses root. Settings are such as "fsync=on": by default nothing is safe
// from a loss of power, since nothing is worth it.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	initdb, postgres := find("initdb"), find("postgres")
	if initdb == "" || postgres == "" {
		t.Skip("PostgreSQL is not installed: install it (Debian: apt-get install postgresql) to run this test")
	}
	folder, err := os.MkdirTemp("", "pg") // a short path: that of a socket has 107 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	s := &Server{folder}
	data := filepath.Join(folder, "data")
	run := func(name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...) // ended below, not killed
		cmd.Dir = folder
		if err := asUser(cmd, folder); err != nil {
			t.Skipf("PostgreSQL does not run as root, and there is no other user to run it: %v", err)
		}
		return cmd
	}
	if out, err := run(initdb, "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync").
		CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	args := []string{"-D", data, "-k", folder, "-c", "listen_addresses="}
	for _, setting := range append([]string{"fsync=off", "autovacuum=off"}, settings...) {
		args = append(args, "-c", setting)
	}
	server := run(postgres, args...)
	var log bytes.Buffer
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(os.Interrupt) // ends it at once, whoever is connected
		_ = server.Wait()
		if t.Failed() {
			t.Logf("the server's log:\n%s", log.String())
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.URL(""))
		if err == nil {
			_ = conn.Close(ctx)
			return s
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the server does not start: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// URL gives the address of the server's database, with the options of a destination, such as "schema=a&deletes=soft".
func (s *Server) URL(options string) string {
	u := url.URL{Scheme: "postgres", User: url.User("tester"), Path: "/postgres", RawQuery: "host=" + url.QueryEscape(s.folder)}
	if options != "" {
		u.RawQuery += "&" + options
	}
	return u.String()
}

// find gives the path of a program of PostgreSQL, of the newest version where there are several; empty if there is none.
func find(program string) string {
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + program) // the pattern is well formed
	if len(found) == 0 {
		return ""
	}
	return slices.Max(found)
}
