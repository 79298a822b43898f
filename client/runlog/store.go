package runlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// version is the version of the tables. Open upgrades an older file and refuses a newer one.
const version = 3

// pragmas are set on every connection. With a write-ahead log, readers and the writer don't block each other. FULL makes each
// commit survive a power loss; there are few commits, so it costs little.
const pragmas = "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_txlock=immediate"

const tables = `
CREATE TABLE IF NOT EXISTS runs (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	pipeline TEXT NOT NULL,
	slot TEXT NOT NULL,
	attempt INTEGER NOT NULL,
	status TEXT NOT NULL,
	process TEXT NOT NULL,
	started TEXT NOT NULL,
	ended TEXT,
	seen TEXT NOT NULL, -- when the run was last saved
	reads INTEGER NOT NULL DEFAULT 0,
	requests INTEGER NOT NULL DEFAULT 0,
	retries INTEGER NOT NULL DEFAULT 0,
	waited_ms INTEGER NOT NULL DEFAULT 0,
	class TEXT NOT NULL DEFAULT '',
	error TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS runs_by_pipeline ON runs (pipeline, id);
CREATE TABLE IF NOT EXISTS streams (
	run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
	position INTEGER NOT NULL,
	stream TEXT NOT NULL,
	account TEXT NOT NULL,
	status TEXT NOT NULL,
	extracted INTEGER NOT NULL,
	loaded INTEGER NOT NULL,
	deleted INTEGER NOT NULL,
	bytes INTEGER NOT NULL,
	duration_ms INTEGER NOT NULL,
	watermark TEXT,
	error TEXT NOT NULL,
	withheld INTEGER NOT NULL DEFAULT 0,
	set_aside INTEGER NOT NULL DEFAULT 0,
	drift TEXT, -- JSON
	PRIMARY KEY (run, position)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entries (
	run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
	position INTEGER NOT NULL,
	at TEXT NOT NULL,
	level TEXT NOT NULL,
	stream TEXT NOT NULL,
	account TEXT NOT NULL,
	message TEXT NOT NULL,
	PRIMARY KEY (run, position)
) WITHOUT ROWID;
PRAGMA user_version = 3`

// upgrades upgrade the tables, each from one version to the next.
var upgrades = [...]string{1: `
ALTER TABLE streams ADD COLUMN withheld INTEGER NOT NULL DEFAULT 0;
ALTER TABLE streams ADD COLUMN set_aside INTEGER NOT NULL DEFAULT 0;
PRAGMA user_version = 2`, 2: `
ALTER TABLE streams ADD COLUMN drift TEXT;
PRAGMA user_version = 3`}

// Store is a run log. Its methods are safe for concurrent use, and several processes may use the same file.
type Store struct {
	db   *sql.DB
	path string
}

// Open opens the file at path, creating it if it doesn't exist. The caller closes the store.
func Open(ctx context.Context, path string) (*Store, error) {
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("open the run log: directory %s doesn't exist: create it, or choose another path with run_log",
			filepath.Dir(path))
	}
	// SQLite would create a file that everyone can read.
	if file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
		if err := file.Close(); err != nil {
			return nil, fmt.Errorf("open the run log: %w", err)
		}
	}
	return open(ctx, path, "")
}

// View opens an existing file at path. It returns an error that wraps [fs.ErrNotExist] if there is none.
func View(ctx context.Context, path string) (*Store, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open the run log: %s doesn't exist, so nothing has run yet: %w", path, fs.ErrNotExist)
	}
	return open(ctx, path, "&mode=rw")
}

func open(ctx context.Context, path, options string) (*Store, error) {
	if !slices.Contains(sql.Drivers(), "sqlite") {
		return nil, errors.New(`open the run log: this program has no database driver named "sqlite": import modernc.org/sqlite`)
	}
	// The path is escaped because SQLite parses a name that begins with "file:" as a URI.
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+pragmas+options)
	if err != nil {
		return nil, fmt.Errorf("open the run log: %w", err)
	}
	db.SetMaxOpenConns(1) // SQLite has one writer at a time anyway
	s := &Store{db, path}
	if err := s.setUp(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open the run log %s: %w", path, err), db.Close())
	}
	return s, nil
}

// setUp creates or upgrades the tables. It returns an error if the file is some other database.
func (s *Store) setUp(ctx context.Context) error {
	var found int
	if err := s.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&found); err != nil {
		return fmt.Errorf("not a SQLite file, or damaged: choose another file with run_log: %w", err)
	}
	if found == version {
		return nil
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		var runs, others int // check again, since another process may have been faster
		err := tx.QueryRowContext(ctx, `SELECT user_version, (SELECT count(*) FROM sqlite_schema WHERE name = 'runs'),
(SELECT count(*) FROM sqlite_schema) FROM pragma_user_version`).Scan(&found, &runs, &others)
		switch {
		case err != nil || found == version:
		case found == 0 && others == 0:
			_, err = tx.ExecContext(ctx, tables)
		case 0 < found && found < version && runs == 1:
			_, err = tx.ExecContext(ctx, strings.Join(upgrades[found:], ";"))
		default:
			err = fmt.Errorf("not a run log of version %d (found version %d): choose another file with run_log", version, found)
		}
		return err
	})
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

// write runs do in a transaction.
func (s *Store) write(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err == nil {
		if err = do(tx); err == nil {
			err = tx.Commit()
		} else {
			err = errors.Join(err, tx.Rollback())
		}
	}
	if err != nil {
		return fmt.Errorf("write the run log: %w", err)
	}
	return nil
}

// layout is the format of times in the file. They sort as text, and SQLite's date functions accept them.
const layout = "2006-01-02T15:04:05.000Z"

func format(t time.Time) string { return t.UTC().Format(layout) }

// nullable returns t in layout, or nil for the zero time.
func nullable(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return format(t)
}
