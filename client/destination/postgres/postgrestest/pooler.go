package postgrestest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Pooler is a running pgbouncer in front of a server.
type Pooler struct{ folder string }

// Pool starts pgbouncer in front of the server, for these users, in the mode session, transaction or statement. It stops
// when the test ends. If pgbouncer is not installed, the test is skipped. Settings look like "default_pool_size=1".
func (s *Server) Pool(t testing.TB, mode string, users []string, settings ...string) *Pooler {
	t.Helper()
	path, err := exec.LookPath("pgbouncer")
	if err != nil {
		path = "/usr/sbin/pgbouncer"
		if _, err := os.Stat(path); err != nil {
			t.Skip("pgbouncer is not installed: install it (Debian: apt-get install pgbouncer) to run this test")
		}
	}
	p := &Pooler{folder(t)}
	list := ""
	for _, user := range users {
		list += fmt.Sprintf("%q \"\"\n", user)
	}
	config := fmt.Sprintf(`[databases]
* = host=%s
[pgbouncer]
listen_addr =
listen_port = 5432
unix_socket_dir = %s
auth_type = trust
auth_file = %s/users
pool_mode = %s
`, s.folder, p.folder, p.folder, mode)
	for _, setting := range settings {
		config += setting + "\n"
	}
	for name, content := range map[string]string{"users": list, "ini": config} {
		if err := os.WriteFile(filepath.Join(p.folder, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var log safeBuffer
	cmd := command(t, p.folder, path, filepath.Join(p.folder, "ini"))
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the pooler's log:\n%s", log.String())
		}
	})
	await(t, p.Address(users[0], "postgres", "default_query_exec_mode=simple_protocol"), &log)
	return p
}

// Address returns the address of a database for a user, through the pooler.
func (p *Pooler) Address(user, database, options string) string {
	return address(p.folder, user, database, options)
}
