package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
	"github.com/stripe-connector/stripe-connector/client/internal/filelock"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// setUp configures the file. With a write-ahead log, readers and the sync don't block each other. With NORMAL, a power
// loss costs at most the newest transactions, rows and states alike.
const setUp = `
PRAGMA busy_timeout = 10000;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;` + tables

// tables creates the tables of states and identities.
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
);
CREATE TABLE IF NOT EXISTS ` + rows.RefusedTable + ` (
	stream TEXT NOT NULL,
	account TEXT NOT NULL,
	key TEXT NOT NULL,
	parent,
	operation INTEGER NOT NULL,
	data TEXT NOT NULL,
	generation INTEGER NOT NULL,
	as_of TEXT,
	event_id TEXT NOT NULL,
	reason TEXT NOT NULL,
	refused_at TEXT NOT NULL,
	PRIMARY KEY (stream, account, key)
)`

const putState = `INSERT INTO ` + rows.StateTable + ` (stream, account, state, stored_at, arrived) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (stream, account) DO UPDATE SET
	state = excluded.state, stored_at = excluded.stored_at, arrived = excluded.arrived`

// Options configure the tables. The zero value works.
type Options = rows.Options

// Destination is a database file opened for one sync. It implements client.Destination.
type Destination struct {
	path      string
	opts      Options
	now       func() time.Time
	lock      *filelock.Lock
	file      os.FileInfo // the open file
	db        *sql.DB
	conn      *sql.Conn // the only connection, so that statements stay prepared
	state     *sql.Stmt
	tables    map[string]*table          // of the streams passed to Begin, by stream
	completed map[client.StreamKey]int64 // the last completed generation
	splitter  rows.Splitter
	version   int64           // the schema version when the tables were last examined
	notices   []client.Notice // of the current Begin

	// Of the current commit:
	replacements []replacement // in append mode
	refused      map[*table]map[*connectorv1.Record]client.Refusal
}

// Open opens the database file at path, creating it if it doesn't exist. It fails if another sync has it open.
func Open(ctx context.Context, path string, opts Options) (*Destination, error) {
	if err := opts.Check(); err != nil {
		return nil, err
	}
	if err := checkPath(path); err != nil {
		return nil, err
	}
	path = resolve(path)
	lock, err := filelock.Acquire(path + ".lock")
	if err != nil {
		return nil, explain(path, err)
	}
	d := &Destination{
		path: path, opts: opts, now: time.Now, lock: lock, tables: map[string]*table{}, completed: map[client.StreamKey]int64{},
	}
	if err := d.connect(ctx); err != nil {
		_ = d.Close()
		return nil, explain(path, err)
	}
	return d, nil
}

func (d *Destination) connect(ctx context.Context) (err error) {
	if err := d.open(ctx); err != nil {
		return err
	}
	if _, err = d.conn.ExecContext(ctx, setUp); err != nil {
		return err
	}
	if d.state, err = d.conn.PrepareContext(ctx, putState); err != nil {
		return err
	}
	d.file, err = os.Stat(d.path)
	return err
}

func (d *Destination) open(ctx context.Context) (err error) {
	// SQLite would create a file that everyone can read. The files beside it get the permissions of this one.
	if file, err := os.OpenFile(d.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
		if err := file.Close(); err != nil {
			return err
		}
	}
	// The path is escaped because SQLite parses a name that begins with "file:" as a URI.
	if d.db, err = sql.Open("sqlite", "file:"+(&url.URL{Path: d.path}).EscapedPath()); err != nil {
		return err
	}
	d.conn, err = d.db.Conn(ctx)
	return err
}

// Close closes the file and releases it for other syncs. It fails if the file no longer exists.
func (d *Destination) Close() error {
	var gone error
	if d.file != nil {
		gone = d.checkFile()
	}
	return errors.Join(gone, d.disconnect(), d.lock.Release())
}
