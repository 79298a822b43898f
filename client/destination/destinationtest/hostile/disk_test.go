//go:build linux

package hostile_test

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stripe-connector/stripe-connector/client/destination/destinationtest/hostile"
	"github.com/stripe-connector/stripe-connector/client/destination/postgres/postgrestest"
)

// smallDisk mounts a small file system that a server can write to, or skips the test. It goes with the test.
func smallDisk(t *testing.T, size string) (folder string, owner int) {
	t.Helper()
	postgres, err := user.Lookup("postgres")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("only root can mount a small disk, for the user postgres")
	}
	folder, err = os.MkdirTemp("", "disk")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size="+size); err != nil {
		_ = os.Remove(folder)
		t.Skipf("a small disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		_ = syscall.Unmount(folder, syscall.MNT_DETACH)
		_ = os.Remove(folder)
	})
	if owner, err = strconv.Atoi(postgres.Uid); err == nil {
		err = os.Chown(folder, owner, -1)
	}
	if err != nil {
		t.Fatal(err)
	}
	return folder, owner
}

func TestPostgreSQLFullDisk(t *testing.T) {
	folder, owner := smallDisk(t, "8m")
	server := postgrestest.Start(t)
	p := newPlace(t, server)
	tablespace := filepath.Join(folder, "tablespace")
	if err := os.Mkdir(tablespace, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(tablespace, owner, -1); err != nil {
		t.Fatal(err)
	}
	run(t, server.URL(""), "CREATE TABLESPACE small LOCATION '"+tablespace+"'")
	p.exec(t, "GRANT CREATE ON TABLESPACE small TO ROLE_NAME", "ALTER ROLE ROLE_NAME SET default_tablespace = small")
	filler := filepath.Join(folder, "filler")
	hostile.Run(t, p, hostile.Case{
		Between: func(t *testing.T) {
			p.exec(t, "VACUUM FULL stripe.charges") // no page has room
			p.exec(t, "CHECKPOINT")
			_ = exec.CommandContext(t.Context(), "dd", "if=/dev/zero", "of="+filler, "bs=4k").Run() // until there is no space left
		},
		Refused: []string{"the disk of the server", "is full: free space there", "No space left on device"},
		Healed:  func(*testing.T) { _ = os.Remove(filler) },
	})
}
