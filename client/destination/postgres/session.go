package postgres

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stripe-connector/stripe-connector/client"
)

// settings lists every setting that a sync relies on. The role, the database, PGOPTIONS or a service file may have changed
// any of them. Settings that the server doesn't know and values that it wasn't built for are skipped.
var settings = [][2]string{
	{"client_encoding", "UTF8"},
	{"standard_conforming_strings", "on"},
	{"DateStyle", "ISO"},
	{"IntervalStyle", "postgres"},
	{"extra_float_digits", "3"}, // floats keep their exact value in text, too
	{"quote_all_identifiers", "off"},
	{"default_transaction_isolation", "read committed"},
	{"default_transaction_read_only", "off"},
	{"default_transaction_deferrable", "off"},
	{"plan_cache_mode", "force_generic_plan"}, // plans for one commit's rows suit those of the next
	{"row_security", "off"},                   // an error instead of silently missing rows
	{"default_toast_compression", "lz4"},      // takes a fraction of pglz's CPU time; a server built without it keeps pglz
	// A sync waits for the source between commits, and a commit may take arbitrarily long.
	{"statement_timeout", "0"},
	{"idle_in_transaction_session_timeout", "0"},
	{"idle_session_timeout", "0"},
	{"transaction_timeout", "0"},
	{"lock_timeout", fmt.Sprint(lockTimeout.Milliseconds())},
}

const (
	// lockTimeout is how long a commit waits for another session's lock before it fails with an error that names the session.
	lockTimeout = 10 * time.Second
	// changeTimeout is the same limit for changing a table. It is short because readers of the table queue up behind the
	// change.
	changeTimeout = time.Second
)

// backend is the server process that serves a connection.
type backend struct {
	pid   int32
	began time.Time
	user  string
	// pooled reports whether the connection goes through a pooler.
	pooled bool
}

// connect connects or reconnects, and prepares the session. It doesn't lock the schema.
func (d *Destination) connect(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, d.config)
	if err != nil {
		return unreachable(d.config, err)
	}
	former := d.backend
	d.conn, d.tables, d.prepared = conn, map[string]*table{}, map[string]string{}
	if err := d.prepare(ctx, former); err != nil {
		_ = d.Close()
		return err
	}
	return nil
}

// prepare identifies the backend, applies the settings that a sync relies on, and terminates the backend of the previous
// connection. That backend may not have noticed that its connection is gone, and may still hold the lock.
func (d *Destination) prepare(ctx context.Context, former backend) error {
	var encoding string
	// Anything before the settings must be quick and leave nothing behind: a statement timeout of the role may apply, and in
	// the next moment the backend may serve another client.
	err := d.conn.QueryRow(ctx, "SELECT pg_backend_pid(), current_setting('server_encoding')", pgx.QueryExecModeExec).
		Scan(&d.backend.pid, &encoding)
	if err != nil {
		return d.explain(ctx, err)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("database %s at %s has the encoding %s, which can't represent every character that Stripe sends: choose a database "+
			"whose encoding is UTF8 (CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0)", d.config.Database, d.config.Host, encoding)
	}
	d.backend.pooled = uint32(d.backend.pid) != d.conn.PgConn().PID()
	if d.backend.pooled {
		if err := d.refuseTransactionPooling(ctx); err != nil {
			return err
		}
	}
	if err := d.applySettings(ctx); err != nil {
		return d.explain(ctx, err)
	}
	if err := d.enter(ctx); err != nil { // first, since the former backend may serve a newer attempt by now, through a pooler
		return err
	}
	if former.pid == 0 {
		return nil
	}
	_, err = d.conn.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = $1 AND backend_start = $2 AND usename = current_user AND pid <> pg_backend_pid()`, former.pid, former.began)
	return d.explain(ctx, err)
}

// applySettings applies the settings that a sync relies on, then determines the session's user.
func (d *Destination) applySettings(ctx context.Context) error {
	var values []string
	for _, s := range settings {
		values = append(values, fmt.Sprintf("(%s, %s)", literal(strings.ToLower(s[0])), literal(s[1])))
	}
	for _, statement := range []string{
		"SET statement_timeout = 0",
		"SELECT set_config(s.name, w.value, false) FROM (VALUES " + strings.Join(values, ", ") +
			") AS w (name, value) JOIN pg_settings AS s ON lower(s.name) = w.name WHERE w.value = ANY(s.enumvals) OR s.enumvals IS NULL",
	} {
		if _, err := d.conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return d.conn.QueryRow(ctx, "SELECT backend_start, usename::text FROM pg_stat_activity WHERE pid = pg_backend_pid()").
		Scan(&d.backend.began, &d.backend.user)
}

// lock makes this the only sync of the schema.
func (d *Destination) lock(ctx context.Context) error {
	if err := d.evict(ctx); err != nil {
		return err
	}
	err := pgx.BeginFunc(ctx, d.conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, fmt.Sprintf("SET LOCAL lock_timeout = %d", d.lockWait.Milliseconds())); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "SELECT pg_advisory_lock($1)", d.lockKey()) // held beyond the transaction
		return err
	})
	if err == nil {
		return d.verify(ctx)
	}
	if failure, ok := errors.AsType[*pgconn.PgError](err); !ok || failure.Code != lockNotAvailable {
		return d.explain(ctx, err)
	}
	message := fmt.Sprintf("another sync is writing to %s: wait until it ends, or choose another schema", d.where)
	if holders := d.lockHolders(ctx); len(holders) > 0 {
		message += fmt.Sprintf("; it is %s; if it is dead, end it with SELECT pg_terminate_backend(%d)", holders[0], holders[0].pid)
	}
	return errors.New(message)
}

// lockHolders returns the other sessions that hold the lock.
func (d *Destination) lockHolders(ctx context.Context) []holder {
	return d.holders(ctx, `locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
	AND classid::bigint = ($1::bigint >> 32) & 4294967295 AND objid::bigint = $1::bigint & 4294967295 AND objsubid = 1`, d.lockKey())
}

func (d *Destination) lockKey() int64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte("stripe-connector " + d.schema)) // never fails
	return int64(hash.Sum64())
}

// transaction runs f in a transaction.
func (d *Destination) transaction(ctx context.Context, f func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, d.conn, func(tx pgx.Tx) error {
		if d.backend.pooled {
			if err := d.pipelined(ctx, d.checkBackend); err != nil {
				return err
			}
		}
		return f(tx)
	})
}

// pipelinedTransaction sends a transaction with the statements that send adds.
func (d *Destination) pipelinedTransaction(ctx context.Context, send func(*pipeline) error) error {
	err := d.pipelined(ctx, func(p *pipeline) error {
		p.exec("BEGIN")
		if d.backend.pooled {
			if err := d.checkBackend(p); err != nil { // before anything that another backend would keep
				return err
			}
		}
		if err := send(p); err != nil {
			return err
		}
		p.exec("COMMIT")
		return nil
	})
	if err != nil && d.conn.PgConn().TxStatus() != 'I' {
		if _, failed := d.conn.Exec(ctx, "ROLLBACK"); failed != nil {
			_ = d.conn.Close(ctx)
		}
	}
	return err
}

// checkBackend returns an error if the transaction runs in another backend than the one that connect prepared.
func (d *Destination) checkBackend(p *pipeline) error {
	var pid int32
	p.scan("SELECT pg_backend_pid()", &pid)
	if err := p.await(); err != nil {
		return err
	}
	if pid != d.backend.pid {
		return d.transactionPooling()
	}
	return nil
}

// change sends a transaction that changes these tables of the sync's. It doesn't wait long for a lock, since readers of a
// table queue up behind it.
func (d *Destination) change(ctx context.Context, tables []string, send func(*pipeline) error) error {
	err := d.pipelinedTransaction(ctx, func(p *pipeline) error {
		p.exec(fmt.Sprintf("SET LOCAL lock_timeout = %d", changeTimeout.Milliseconds()))
		return send(p)
	})
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok && failure.Code == lockNotAvailable {
		return &client.Interruption{Err: d.lockError(ctx, failure, true, tables...)}
	}
	return d.explain(ctx, err)
}
