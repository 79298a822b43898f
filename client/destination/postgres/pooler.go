package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// probeTime limits the wait for a second connection. A pooler in session mode may have no backend left for it.
const probeTime = 2 * time.Second

// refuseTransactionPooling returns an error if a pooler assigns a backend to each transaction instead of each session. A
// sync can't work there: its lock would remain in a backend that serves other clients, and would exclude nobody.
//
// In session mode, a backend belongs to one client until it disconnects. So if two of our transactions run in different
// backends, or a second client gets the backend that we used, the pooler is in transaction mode. The test leaves nothing
// behind.
func (d *Destination) refuseTransactionPooling(ctx context.Context) error {
	ours := func() (moved bool, err error) {
		err = pgx.BeginFunc(ctx, d.conn, func(tx pgx.Tx) error {
			pid, err := backendOf(ctx, tx)
			moved = pid != d.backend.pid
			return err
		})
		return moved, err
	}
	moved, err := ours()
	if statementPooling(err) || moved {
		return d.transactionPooling()
	}
	if err != nil {
		return d.explain(ctx, err)
	}
	probeCtx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	second, err := pgx.ConnectConfig(probeCtx, d.config)
	if err != nil {
		return ctx.Err() // no other backend is free, so this one is reserved for us
	}
	defer second.Close(context.WithoutCancel(ctx))
	taken := false
	err = pgx.BeginFunc(probeCtx, second, func(tx pgx.Tx) error {
		pid, err := backendOf(probeCtx, tx)
		if err != nil {
			return err
		}
		taken = pid == d.backend.pid
		if !taken {
			taken, err = ours() // while the second client holds its backend
		}
		return err
	})
	switch {
	case taken || statementPooling(err):
		return d.transactionPooling()
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return nil
}

func backendOf(ctx context.Context, tx pgx.Tx) (pid int32, err error) {
	err = tx.QueryRow(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeExec).Scan(&pid)
	return pid, err
}

// statementPooling reports whether a pooler in statement mode refused a transaction.
func statementPooling(err error) bool {
	failure, ok := errors.AsType[*pgconn.PgError](err)
	return ok && strings.HasPrefix(failure.Code, "08") && strings.Contains(failure.Message, "statement pooling")
}

// transactionPooling returns the error for a pooler in transaction mode. For known providers, it names the address to use
// instead.
func (d *Destination) transactionPooling() error {
	remedy := "connect to the server itself, or to a database of the pooler that has pool_mode=session"
	host := d.config.Host
	switch {
	case d.config.Port == 6543: // https://supabase.com/docs/guides/database/connecting-to-postgres
		remedy = fmt.Sprintf("use port 5432 instead of 6543, which at Supabase is the pooler in session mode: %s:5432", host)
	case strings.Contains(host, "-pooler."): // https://neon.com/docs/connect/connection-pooling
		remedy = fmt.Sprintf("use the host without -pooler, which at Neon is the server itself: %s", strings.Replace(host, "-pooler.", ".", 1))
	}
	return fmt.Errorf("%s:%d is a pooler in transaction mode, which may run each transaction on another connection to the server, so "+
		"a sync can't lock out other syncs: %s", host, d.config.Port, remedy)
}
