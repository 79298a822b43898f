package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// replacement is an OPERATION_DELETE_MATCHING of the current commit, in append mode.
type replacement struct {
	t       *table
	values  []any // the arguments of the statement
	arrived int64 // the highest arrival number before it
}

// replace removes or marks the rows of a parent. In append mode it only records the replacement for settle: which rows did
// not come back is known only at the end of the commit.
func (d *Destination) replace(ctx context.Context, t *table, batch *connectorv1.RecordBatch, record *connectorv1.Record, now string) error {
	parent, err := d.splitter.Parent(t.Table, record)
	if err != nil || t.replaced == nil {
		return err
	}
	var asOf, event any
	deletedAt := now
	if at := record.GetAsOf(); at != nil {
		deletedAt = at.AsTime().Format(asOfLayout)
		asOf = deletedAt
	}
	if id := record.GetEventId(); id != "" {
		event = id
	}
	switch {
	case d.opts.Append:
		arrived, err := d.arrived(ctx, t.Stream)
		if err != nil {
			return err
		}
		values := []any{parent, batch.GetAccount(), now, batch.GetGeneration(), asOf, event}
		d.replacements = append(d.replacements, replacement{t, values, arrived})
		return nil
	case d.opts.SoftDeletes:
		_, err = t.replaced.ExecContext(ctx, parent, batch.GetAccount(), deletedAt)
	default:
		_, err = t.replaced.ExecContext(ctx, parent, batch.GetAccount())
	}
	return err
}

// settle appends, in append mode, a DELETE for each object of a replaced parent that did not come back in this commit.
func (d *Destination) settle(ctx context.Context) error {
	for _, r := range d.replacements {
		if _, err := r.t.replaced.ExecContext(ctx, append(r.values, r.arrived)...); err != nil {
			return err
		}
	}
	return nil
}

// prepareReplaced prepares the statement for the rows of a parent (?1) of an account (?2).
func (t *table) prepareReplaced(ctx context.Context, conn *sql.Conn, opts Options) (err error) {
	if t.Parent < 0 || t.Keys == 0 {
		return nil
	}
	name := rows.Quote(t.Name)
	matches := rows.Quote(t.Columns[t.Parent].Name) + " = ?1 AND _account = ?2"
	statement := "DELETE FROM " + name + " WHERE " + matches
	switch {
	case opts.Append:
		var same []string
		for _, key := range t.PrimaryKey() {
			same = append(same, fmt.Sprintf("later.%[1]s = version.%[1]s", rows.Quote(key)))
		}
		keys := rows.QuoteAll(t.Names()[:t.Keys])
		statement = fmt.Sprintf(`INSERT INTO %[1]s (%[2]s, _account, _synced_at, _generation, _as_of, _event_id, _operation)
SELECT %[2]s, ?2, ?3, ?4, ?5, ?6, 'DELETE' FROM %[1]s AS version WHERE %[3]s AND _arrival <= ?7 AND _operation = 'UPSERT'
	AND NOT EXISTS (SELECT 1 FROM %[1]s AS later WHERE %[4]s AND later._arrival > version._arrival)`,
			name, keys, matches, strings.Join(same, " AND "))
	case opts.SoftDeletes:
		statement = "UPDATE " + name + " SET _deleted_at = ?3 WHERE _deleted_at IS NULL AND " + matches
	}
	t.replaced, err = conn.PrepareContext(ctx, statement)
	return err
}

// indexParent creates the index for finding the rows of a parent, and in append mode the one for finding the other
// versions of a row.
func (d *Destination) indexParent(ctx context.Context, t *table) error {
	if d.opts.Append && t.Keys > 0 {
		if err := d.index(ctx, t, t.KeyIndex(), append(t.PrimaryKey(), rows.Arrival)); err != nil {
			return err
		}
	}
	name, columns := t.ParentIndex(d.opts)
	if columns == nil {
		return nil
	}
	return d.index(ctx, t, name, columns)
}

// index creates an index on these columns, unless the table has one. Its name may be taken by another table's index, since
// a renamed table keeps its indexes.
func (d *Destination) index(ctx context.Context, t *table, name string, columns []string) error {
	if there, err := d.indexOf(ctx, t, columns); err != nil || there != "" {
		return err
	}
	for free, n := name, 2; ; free, n = fmt.Sprintf("%s_%d", name, n), n+1 {
		var taken bool
		if err := d.conn.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE lower(name) = ?)", free).Scan(&taken); err != nil {
			return err
		}
		if !taken {
			return d.exec(ctx, "CREATE INDEX %s ON %s (%s)", rows.Quote(free), rows.Quote(t.Name), rows.QuoteAll(columns))
		}
	}
}

// dropIndex drops the index on these columns, if the table has one.
func (d *Destination) dropIndex(ctx context.Context, t *table, columns []string) error {
	name, err := d.indexOf(ctx, t, columns)
	if err != nil || name == "" {
		return err
	}
	return d.exec(ctx, "DROP INDEX %s", rows.Quote(name))
}

// indexOf returns the name of an index on these columns, or "".
func (d *Destination) indexOf(ctx context.Context, t *table, columns []string) (name string, err error) {
	err = d.conn.QueryRowContext(ctx, `SELECT coalesce(max(i.name), '') FROM pragma_index_list(?1) AS i WHERE i.partial = 0 AND i.origin = 'c' AND ?2 =
	(SELECT group_concat(lower(name), ', ') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno))`,
		t.Name, strings.Join(columns, ", ")).Scan(&name)
	return name, err
}
