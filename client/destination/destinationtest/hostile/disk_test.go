//go:build linux

package hostile_test

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stripe-connector/stripe-connector/client/destination/destinationtest/hostile"
	"github.com/stripe-connector/stripe-connector/client/destination/postgres/postgrestest"
)

// smallDisk mounts a small file system until the test ends, or skips the test.
func smallDisk(t *testing.T, size string) (folder string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	folder, err := os.MkdirTemp("", "disk")
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
	return folder
}

// fill writes to a file until its disk is full.
func fill(t *testing.T, filler string) {
	t.Helper()
	_ = exec.CommandContext(t.Context(), "dd", "if=/dev/zero", "of="+filler, "bs=4k").Run() // fails when the disk is full
}

// onDisk is a folder on a disk that can be read-only at times, when SQLite can't open a database there even to read it.
type onDisk struct{ folder }

// Everything implements hostile.Place.
func (d onDisk) Everything(t *testing.T) string {
	t.Helper()
	twin := folder{t.TempDir(), d.kind}
	files, err := filepath.Glob(filepath.Join(d.path, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(twin.path, filepath.Base(file)), string(content))
	}
	return strings.ReplaceAll(twin.Everything(t), twin.path, d.path)
}

// TestFilesOnDisks syncs to disks that become full or read-only for a while.
func TestFilesOnDisks(t *testing.T) {
	for _, kind := range []string{"sqlite", "jsonl"} {
		t.Run("full, "+kind, func(t *testing.T) {
			disk := smallDisk(t, "4m")
			place, filler := onDisk{folder{filepath.Join(disk, "place"), kind}}, filepath.Join(disk, "filler")
			if err := os.Mkdir(place.path, 0o755); err != nil {
				t.Fatal(err)
			}
			hostile.Run(t, place, hostile.Case{
				Between: func(t *testing.T) { fill(t, filler) },
				Refused: []string{"no space left for", "free some space, then sync again"},
				Healed:  func(*testing.T) { _ = os.Remove(filler) },
			})
		})
		t.Run("read-only, "+kind, func(t *testing.T) {
			place := onDisk{folder{smallDisk(t, "4m"), kind}}
			remount := func(flags uintptr) func(*testing.T) {
				return func(t *testing.T) {
					if err := syscall.Mount("", place.path, "", syscall.MS_REMOUNT|flags, ""); err != nil {
						t.Fatal(err)
					}
				}
			}
			hostile.Run(t, place, hostile.Case{
				Between: remount(syscall.MS_RDONLY),
				Refused: []string{"is on a read-only file system: choose a writable location"},
				Healed:  remount(0),
			})
		})
		t.Run("no permission, "+kind, func(t *testing.T) {
			if os.Geteuid() == 0 {
				t.Skip("root may write to any folder")
			}
			place := onDisk{folder{t.TempDir(), kind}}
			chmod := func(mode os.FileMode) func(*testing.T) {
				return func(t *testing.T) {
					if err := os.Chmod(place.path, mode); err != nil {
						t.Fatal(err)
					}
				}
			}
			hostile.Run(t, place, hostile.Case{
				Between: chmod(0o555),
				Refused: []string{"can't be written: check its permissions and those of its folder"},
				Healed:  chmod(0o755),
			})
		})
	}
}

func TestPostgreSQLFullDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for databases")
	}
	postgres, err := user.Lookup("postgres")
	if err != nil {
		t.Skip("there is no user postgres, to whom the disk could belong")
	}
	owner, err := strconv.Atoi(postgres.Uid)
	if err != nil {
		t.Fatal(err)
	}
	folder := smallDisk(t, "8m")
	if err := os.Chown(folder, owner, -1); err != nil {
		t.Fatal(err)
	}
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
			p.exec(t, "VACUUM FULL stripe.charges") // leaves no free space in its pages
			p.exec(t, "CHECKPOINT")
			fill(t, filler)
		},
		Refused: []string{"the disk of the server", "is full: free space there", "No space left on device"},
		Healed:  func(*testing.T) { _ = os.Remove(filler) },
	})
}
