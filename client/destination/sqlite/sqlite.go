package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
	"github.com/stripe-connector/stripe-connector/client/internal/filelock"
)

// setUp makes the file ready. With a write-ahead log, readers do not wait for us nor we for them; NORMAL loses at most the
// newest transactions when the machine loses power, rows and states alike.
const setUp = `
PRAGMA busy_timeout = 10000;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;` + tables

// tables makes the tables of states and identities.
const tables = `
CREATE TABLE IF NOT EXISTS ` + rows.StateTable + ` (
	stream TEXT NOT NULL,
	account TEXT NOT NULL,
	state TEXT NOT NULL, -- empty if its table was lost
	stored_at TEXT NOT NULL,
	completed INTEGER NOT NULL DEFAULT 0, -- the last generation read to its end
	arrived INTEGER NOT NULL DEFAULT 0,   -- in append mode: the last version that the state covers
	PRIMARY KEY (stream, account)
);
CREATE TABLE IF NOT EXISTS ` + rows.TablesTable + ` (
	stream TEXT NOT NULL PRIMARY KEY,
	id TEXT NOT NULL,       -- also in the table's declaration
	columns TEXT NOT NULL,  -- a JSON array of those that syncs made
	filled INTEGER NOT NULL -- whether the table had rows after the last commit
)`

const putState = `INSERT INTO ` + rows.StateTable + ` (stream, account, state, stored_at, arrived) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (stream, account) DO UPDATE SET
	state = excluded.state, stored_at = excluded.stored_at, arrived = excluded.arrived`

// Options are those of the tables. The zero value works.
type Options = rows.Options

// Destination is one database file, open for one sync. It implements client.Destination.
type Destination struct {
	path      string
	opts      Options
	now       func() time.Time
	lock      *filelock.Lock
	db        *sql.DB
	conn      *sql.Conn // the only one, so that statements stay prepared
	state     *sql.Stmt
	tables    map[string]*table // by stream; those begun
	completed map[lane]int64    // generations
	splitter  rows.Splitter
	version   int64           // of the schema, when the tables were last looked at
	notices   []client.Notice // of the Begin under way

	replacements []replacement // of the commit under way, in append mode
}

// lane is a stream of an account.
type lane struct{ stream, account string }

// Open opens the database in the file at path, and makes it if it is not there. It fails if another sync has it open.
func Open(ctx context.Context, path string, opts Options) (*Destination, error) {
	if err := opts.Check(); err != nil {
		return nil, err
	}
	if err := checkPath(path); err != nil {
		return nil, err
	}
	lock, err := filelock.Acquire(path + ".lock")
	if err != nil {
		return nil, explain(path, err)
	}
	d := &Destination{
		path: path, opts: opts, now: time.Now, lock: lock, tables: map[string]*table{}, completed: map[lane]int64{},
	}
	if err := d.connect(ctx); err != nil {
		_ = d.Close()
		return nil, explain(path, err)
	}
	return d, nil
}

func (d *Destination) connect(ctx context.Context) (err error) {
	// The path is escaped, since SQLite takes a name that begins with "file:" for a URI.
	if d.db, err = sql.Open("sqlite", "file:"+(&url.URL{Path: d.path}).EscapedPath()); err != nil {
		return err
	}
	if d.conn, err = d.db.Conn(ctx); err != nil {
		return err
	}
	if _, err = d.conn.ExecContext(ctx, setUp); err != nil {
		return err
	}
	d.state, err = d.conn.PrepareContext(ctx, putState)
	return err
}

// checkPath finds what SQLite would complain about in words of its own.
func checkPath(path string) error {
	if path == ":memory:" {
		return errors.New("a database in memory would be gone with the process: name a file")
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder: name a file in it, such as %s", path, filepath.Join(path, "stripe.db"))
	}
	folder := filepath.Dir(path)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return fmt.Errorf("there is no folder %s: make it, or choose another place", folder)
	}
	return nil
}

// Close closes the file and lets other syncs have it.
func (d *Destination) Close() error {
	var errs []error
	for _, t := range d.tables {
		errs = append(errs, t.close())
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
	return errors.Join(append(errs, d.lock.Release())...)
}
