package postgres

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5" // the one client for PostgreSQL with COPY and prepared statements in pure Go
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
)

const (
	// The lock outlives a process that was killed until the server notices, which it does at the end of a statement.
	defaultLockWait = 10 * time.Second
	closeTime       = 5 * time.Second
	// patience is how long a commit may take after the caller gave up.
	patience = 20 * time.Second
)

// Options are those of the tables. The zero value works.
type Options struct {
	// Schema is where the tables are; it is made if it is not there. Empty means public.
	Schema string
	// SoftDeletes keeps the rows of objects that the source has no more, and says in the column _deleted_at since when.
	SoftDeletes bool
	// Append keeps every version of every object, in the order of their arrival, instead of the newest.
	Append bool
	// LockWait is how long to wait for another sync to end. Zero means ten seconds.
	LockWait time.Duration
}

// Destination is one schema, open for one sync. It implements client.Destination.
type Destination struct {
	opts      rows.Options
	schema    string
	where     string // for errors: host, database and schema
	conn      *pgx.Conn
	tables    map[string]*table // by stream; those begun
	completed map[lane]int64    // generations
	splitter  rows.Splitter
}

// lane is a stream of an account.
type lane struct{ stream, account string }

// Open connects to the database at address, a URL such as postgres://user@host/database or settings such as "host=… dbname=…".
// It fails if another sync has the schema open.
func Open(ctx context.Context, address string, opts Options) (*Destination, error) {
	kept := rows.Options{SoftDeletes: opts.SoftDeletes, Append: opts.Append}
	if err := kept.Check(); err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(address)
	if err != nil || strings.ContainsRune(config.Host, '@') { // the rest of a password that is not escaped
		return nil, errUnparsable
	}
	config.RuntimeParams["application_name"] = "stripe-connector"
	d := &Destination{
		opts: kept, schema: opts.Schema, tables: map[string]*table{}, completed: map[lane]int64{},
	}
	if d.schema == "" {
		d.schema = "public"
	}
	d.where = fmt.Sprintf("schema %s of database %s at %s", d.schema, config.Database, config.Host)
	if d.conn, err = pgx.ConnectConfig(ctx, config); err != nil {
		return nil, unreachable(config, err)
	}
	if opts.LockWait <= 0 {
		opts.LockWait = defaultLockWait
	}
	if err := d.setUp(ctx, opts.LockWait); err != nil {
		_ = d.Close()
		return nil, err
	}
	return d, nil
}

// setUp takes the lock and makes the schema and the table of states.
func (d *Destination) setUp(ctx context.Context, lockWait time.Duration) error {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte("stripe-connector " + d.schema)) // never fails
	_, err := d.conn.Exec(ctx, fmt.Sprintf("SET lock_timeout = %d; SELECT pg_advisory_lock(%d); SET lock_timeout = 0",
		lockWait.Milliseconds(), int64(hash.Sum64())))
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok && failure.Code == "55P03" { // lock_not_available
		return fmt.Errorf("another sync is writing to %s: wait until it ends, or choose another schema", d.where)
	}
	if err != nil {
		return d.explain(err)
	}
	for _, statement := range []string{
		d.ifMissing("SELECT 1 FROM pg_namespace WHERE nspname = "+literal(d.schema), "CREATE SCHEMA "+rows.Quote(d.schema)),
		"SET search_path TO " + rows.Quote(d.schema),
		`CREATE TABLE IF NOT EXISTS ` + rows.StateTable + ` (
	stream text NOT NULL,
	account text NOT NULL,
	state text NOT NULL,
	stored_at timestamptz NOT NULL,
	completed bigint NOT NULL DEFAULT 0,
	arrived bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (stream, account)
)`,
	} {
		if _, err := d.conn.Exec(ctx, statement); err != nil {
			return d.explain(err)
		}
	}
	return nil
}

// ifMissing runs a statement where a query finds nothing: making something that is there needs a permission even with IF
// NOT EXISTS.
func (d *Destination) ifMissing(query, statement string) string {
	return fmt.Sprintf("DO $do$ BEGIN IF NOT EXISTS (%s) THEN %s; END IF; END $do$", query, statement)
}

// Close ends the connection and lets other syncs have the schema.
func (d *Destination) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	// The server would let go of the lock somewhat later. If this fails, so has the connection, and it will.
	_, _ = d.conn.Exec(ctx, "SELECT pg_advisory_unlock_all()")
	return d.conn.Close(ctx)
}
