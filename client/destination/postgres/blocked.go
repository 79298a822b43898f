package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// shownQuery is the maximum number of characters of a blocker's query to show in an error.
const shownQuery = 80

// holder is a session that holds a lock.
type holder struct {
	pid                            int32
	user, application, state, text *string
	since                          *time.Time // the start of its current transaction
	now                            time.Time
}

func (h holder) String() string {
	message := fmt.Sprintf("pid %d", h.pid)
	for _, part := range []struct {
		name  string
		value *string
	}{{"user", h.user}, {"application", h.application}} {
		if part.value != nil && *part.value != "" {
			message += fmt.Sprintf(", %s %s", part.name, *part.value)
		}
	}
	if h.state != nil {
		message += ", " + *h.state
	}
	if h.since != nil {
		message += fmt.Sprintf(", in its transaction for %s", h.now.Sub(*h.since).Round(time.Second))
	}
	if h.text != nil && *h.text != "" && *h.text != "<insufficient privilege>" {
		text := strings.Join(strings.Fields(*h.text), " ")
		if runes := []rune(text); len(runes) > shownQuery {
			text = string(runes[:shownQuery]) + "…"
		}
		message += fmt.Sprintf(", query %q", text)
	}
	return message
}

// holders returns the other sessions that hold a lock matching a condition on pg_locks, longest transaction first. It
// returns none if they can't be determined.
func (d *Destination) holders(ctx context.Context, condition string, args ...any) []holder {
	found, err := d.conn.Query(ctx, `SELECT a.pid, a.usename::text, a.application_name, a.state, a.query, a.xact_start, now()
FROM pg_stat_activity AS a WHERE a.pid <> pg_backend_pid() AND a.pid IN (SELECT pid FROM pg_locks WHERE granted AND `+condition+`)
ORDER BY a.xact_start NULLS LAST LIMIT 3`, args...)
	if err != nil {
		return nil
	}
	all, err := pgx.CollectRows(found, func(row pgx.CollectableRow) (holder, error) {
		var h holder
		err := row.Scan(&h.pid, &h.user, &h.application, &h.state, &h.text, &h.since, &h.now)
		return h, err
	})
	if err != nil {
		return nil
	}
	return all
}

// lockError returns the error for a lock on one of these tables that another session held for too long. It names the session
// if it still holds the lock. A change of a table is blocked by every session that uses it, a commit only by those that do
// more than read.
func (d *Destination) lockError(ctx context.Context, failure *pgconn.PgError, change bool, tables ...string) error {
	condition := `locktype = 'relation' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
	AND relation IN (SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = ANY($2))`
	if !change {
		condition += " AND mode <> 'AccessShareLock'"
	}
	holders := d.holders(ctx, condition, d.schema, tables)
	if len(holders) == 0 {
		return fmt.Errorf("a table in %s was locked by another session, which has finished since: %s", d.where, serverMessage(failure))
	}
	var who []string
	for _, h := range holders {
		who = append(who, h.String())
	}
	return fmt.Errorf("a table in %s is locked, blocked by %s: wait until that transaction ends, or end it with "+
		"SELECT pg_terminate_backend(%d): %s", d.where, strings.Join(who, "; and by "), holders[0].pid, serverMessage(failure))
}
