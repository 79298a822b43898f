package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/internal/disk"
)

// checkPath returns an error for a path that can't be a database file. SQLite's own errors are harder to understand.
func checkPath(path string) error {
	if path == ":memory:" {
		return errors.New("an in-memory database would be lost when the process exits: use a file")
	}
	if info, err := os.Stat(path); err == nil {
		if info.IsDir() {
			return fmt.Errorf("%s is a folder: choose a file in it, such as %s", path, filepath.Join(path, "stripe.db"))
		}
		if kind := disk.Kind(info.Mode()); kind != "" {
			return fmt.Errorf("%s is %s: choose a file", path, kind)
		}
		if n := disk.Links(info); n > 1 {
			return fmt.Errorf("%[1]s is one of %[2]d hard links to a file: SQLite keeps a log beside each name, and programs that use "+
				"different names damage the database: keep one name, or sync into a copy (find / -samefile %[1]s lists the names)", path, n)
		}
	}
	folder := filepath.Dir(path)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return fmt.Errorf("folder %s doesn't exist: create it, or choose another location", folder)
	}
	return nil
}

// resolve returns the path of the file itself, with symbolic links followed, so that all names of a file share one lock.
func resolve(path string) string {
	for range 40 { // the limit of Linux
		to, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	if folder, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(folder, filepath.Base(path))
	}
	return path
}

// checkFile returns an interruption if the path no longer leads to the open file: anything written to that file would be lost.
func (d *Destination) checkFile() error {
	if info, err := os.Stat(d.path); err == nil && os.SameFile(info, d.file) {
		return nil
	}
	return &client.Interruption{Err: fmt.Errorf("%s was deleted, moved or replaced during the sync", d.path)}
}

// reopen opens the file at the path again unless it is already open.
func (d *Destination) reopen(ctx context.Context) error {
	if d.checkFile() == nil {
		return nil
	}
	if err := errors.Join(d.disconnect(), checkPath(d.path)); err != nil {
		return err
	}
	if err := d.connect(ctx); err != nil {
		return err
	}
	d.notices = append(d.notices, client.Notice{Message: fmt.Sprintf(
		"%s was deleted, moved or replaced. The sync continues in the file that is now at this path; rows missing from it will be re-read.", d.path)})
	return nil
}

// disconnect closes the connection and everything that depends on it.
func (d *Destination) disconnect() error {
	var errs []error
	for stream, t := range d.tables {
		errs = append(errs, t.close())
		delete(d.tables, stream)
	}
	if d.state != nil {
		errs = append(errs, d.state.Close())
	}
	if d.conn != nil {
		errs = append(errs, d.conn.Close())
	}
	if d.db != nil {
		errs = append(errs, d.db.Close())
	}
	d.state, d.conn, d.db = nil, nil, nil
	return errors.Join(errs...)
}
