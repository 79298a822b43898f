package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5" // the only pure Go client for PostgreSQL with COPY and prepared statements

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination"
	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
)

const (
	// After a process is killed, its lock remains until the server notices, at the end of the current statement.
	defaultLockWait = 10 * time.Second
	closeTime       = 5 * time.Second
	longestName     = 63 // the server truncates longer names
)

// Options configure the tables. The zero value works.
type Options struct {
	// Schema is the schema of the tables. It is created if it doesn't exist. Empty means public.
	Schema string
	// SoftDeletes keeps the rows of objects that the source no longer has and sets their _deleted_at.
	SoftDeletes bool
	// Append keeps every version of every object, in the order of arrival, instead of only the newest.
	Append bool
	// LockWait is how long to wait for another sync to end. Zero means ten seconds.
	LockWait time.Duration
	// Fence, if set, makes this sync supersede older attempts of the same owner.
	Fence *destination.Fence
}

// Destination is a schema opened for one sync. It implements client.Destination.
type Destination struct {
	opts       rows.Options
	schema     string
	where      string // host, database and schema, for errors
	config     *pgx.ConnConfig
	lockWait   time.Duration
	fence      *fence // nil without Options.Fence
	conn       *pgx.Conn
	backend    backend                    // of conn
	tables     map[string]*table          // of the streams passed to Begin, by stream
	names      []string                   // of their tables, including those that Begin has yet to prepare
	prepared   map[string]string          // the names of conn's prepared statements that store rows
	statements int                        // the number of statements prepared so far
	completed  map[client.StreamKey]int64 // the last completed generation
	splitter   rows.Splitter
	notices    []client.Notice // of the current Begin
}

// Open connects to the database at address: a URL such as postgres://user@host/database, or settings such as
// "host=… dbname=…". It fails if another sync has the schema open.
func Open(ctx context.Context, address string, opts Options) (*Destination, error) {
	d, err := newDestination(address, opts)
	if err != nil {
		return nil, err
	}
	if err := d.connect(ctx); err != nil {
		return nil, err
	}
	if err = d.lock(ctx); err == nil {
		err = d.checkPrivileges(ctx, nil)
	}
	if err == nil {
		err = d.createOwn(ctx)
	}
	if err != nil {
		_ = d.Close()
		return nil, err
	}
	return d, nil
}

// newDestination returns a destination that isn't connected yet.
func newDestination(address string, opts Options) (*Destination, error) {
	kept := rows.Options{SoftDeletes: opts.SoftDeletes, Append: opts.Append}
	if err := kept.Check(); err != nil {
		return nil, err
	}
	if len(opts.Schema) > longestName || strings.ContainsRune(opts.Schema, 0) {
		return nil, fmt.Errorf("schema %q is not a valid name in PostgreSQL: use at most %d bytes", opts.Schema, longestName)
	}
	config, err := parse(address)
	if err != nil {
		return nil, err
	}
	d := &Destination{
		opts: kept, schema: opts.Schema, config: config, lockWait: opts.LockWait,
		tables: map[string]*table{}, completed: map[client.StreamKey]int64{},
	}
	if d.schema == "" {
		d.schema = "public"
	}
	if d.lockWait <= 0 {
		d.lockWait = defaultLockWait
	}
	if opts.Fence != nil {
		d.fence = &fence{Fence: opts.Fence}
	}
	d.where = fmt.Sprintf("schema %s of database %s at %s", d.schema, config.Database, config.Host)
	return d, nil
}

// createOwn creates the schema and the tables of states, identities and refused records.
func (d *Destination) createOwn(ctx context.Context) error {
	return d.change(ctx, []string{rows.StateTable, rows.TablesTable, rows.RefusedTable}, d.addOwn)
}

// addOwn adds the statements that create what createOwn creates.
func (d *Destination) addOwn(p *pipeline) error {
	return d.createMissing(p, [][2]string{
		{rows.StateTable, `
	stream text NOT NULL,
	account text NOT NULL,
	state text NOT NULL, -- empty if its table was lost
	stored_at timestamptz NOT NULL,
	completed bigint NOT NULL DEFAULT 0, -- the last generation read to its end
	arrived bigint NOT NULL DEFAULT 0,   -- in append mode: the last version that the state covers
	PRIMARY KEY (stream, account)`},
		{rows.TablesTable, `
	stream text PRIMARY KEY,
	oid oid NOT NULL,        -- of its table
	id text NOT NULL,        -- also in the table's comment
	columns text[] NOT NULL, -- those that syncs made
	numbers int2[] NOT NULL, -- theirs in the catalog
	filled boolean NOT NULL  -- whether the table had rows after the last commit
`},
		{rows.RefusedTable, `
	stream text NOT NULL,
	account text NOT NULL,
	key text NOT NULL,
	parent text,
	operation int NOT NULL,
	data text NOT NULL,
	generation bigint NOT NULL,
	as_of timestamptz,
	event_id text NOT NULL,
	reason text NOT NULL,
	refused_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (stream, account, key)`},
	})
}

// createMissing adds the statements that create the schema and tables, given their names and columns, where they don't exist.
// IF NOT EXISTS would require the privilege to create even where nothing needs to be created.
func (d *Destination) createMissing(p *pipeline, tables [][2]string) error {
	var schema bool
	p.scan("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", &schema, d.schema)
	exists := make([]bool, len(tables))
	for i, t := range tables {
		p.scan("SELECT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2)",
			&exists[i], d.schema, t[0])
	}
	if err := p.await(); err != nil {
		return err
	}
	if !schema {
		p.exec("CREATE SCHEMA " + rows.Quote(d.schema))
	}
	for i, t := range tables {
		if !exists[i] {
			p.exec("CREATE TABLE " + d.qualified(t[0]) + " (" + t[1] + ")")
		}
	}
	return nil
}

// qualified returns the name of a table, with its schema, for use in a statement. The search path remains the user's,
// which triggers and functions on the tables may rely on.
func (d *Destination) qualified(table string) string {
	return rows.Quote(d.schema) + "." + rows.Quote(table)
}

func (d *Destination) stateTable() string { return d.qualified(rows.StateTable) }

// Close closes the connection, which releases the schema to other syncs.
func (d *Destination) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	// Without this, the server would release the lock slightly later. If it fails, the connection is broken anyway.
	_, _ = d.conn.Exec(ctx, "SELECT pg_advisory_unlock_all()")
	if err := d.conn.Close(ctx); err != nil && !d.conn.IsClosed() {
		return err
	}
	return nil
}
