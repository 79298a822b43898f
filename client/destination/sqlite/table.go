package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
)

// table is a table of the database and the statements that fill it.
type table struct {
	*rows.Table
	identity rows.Identity // as of the last commit
	insert   *sql.Stmt     // inserts a version, replacing the former one unless all are kept
	remove   *sql.Stmt     // nil in append mode
	replaced *sql.Stmt     // removes or marks the rows of a parent, or appends their deletions; nil without parent or keys
	complete *sql.Stmt     // removes or marks the rows of older generations; nil in append mode without keys
	aside    bool          // whether records of the stream are set aside
	values   []any         // of insert; reused for each row
}

// ownColumns are the sync's own columns in the order of their values: see rows.AccountAt.
var ownColumns = [...]string{rows.Account, rows.Generation, rows.AsOf, rows.EventID, rows.Extra, rows.SyncedAt}

// columnDDL returns the DDL of one of the sync's own columns.
func columnDDL(name string) string {
	switch name {
	case rows.Account:
		return rows.Quote(name) + " TEXT NOT NULL DEFAULT ''"
	case rows.Generation:
		return rows.Quote(name) + " INTEGER NOT NULL DEFAULT 0"
	}
	return rows.Quote(name) + " TEXT"
}

// typeDDL returns the type of a kind in DDL.
func typeDDL(k rows.Kind) string {
	switch k {
	case rows.Integer:
		return "INTEGER"
	case rows.Real:
		return "REAL"
	case rows.Boolean:
		return "BOOLEAN"
	}
	return "TEXT"
}

// kindOf returns the kind of a type in DDL.
func kindOf(declared string) rows.Kind {
	for _, k := range []rows.Kind{rows.Integer, rows.Real, rows.Boolean} {
		if strings.EqualFold(declared, k.String()) {
			return k
		}
	}
	return rows.Text
}

// create returns the statement that creates a table, with its ID in a comment that SQLite preserves.
func create(t *rows.Table, opts Options, id string) string {
	arrival := rows.Quote(rows.Arrival) + " INTEGER PRIMARY KEY AUTOINCREMENT"
	return t.Create(rows.Quote(t.Name)+" /* stripe-connector "+id+" */", opts, arrival, typeDDL, columnDDL)
}

// prepare prepares the statements. The table in the database must have all columns. Marked reports whether it has
// _deleted_at.
func (t *table) prepare(ctx context.Context, conn *sql.Conn, opts Options, marked bool) (err error) {
	name, names := rows.Quote(t.Name), append(t.Names(), ownColumns[:]...)
	t.values = make([]any, len(names), len(names)+1)
	if opts.Append {
		t.values, names = t.values[:len(names)+1], append(names, rows.Operation)
	}
	insert := fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", name, rows.QuoteAll(names), strings.Repeat("?, ", len(names)-1)+"?")
	if !opts.Append {
		insert += fmt.Sprintf(" ON CONFLICT (%s) DO UPDATE SET %s", rows.QuoteAll(t.PrimaryKey()), t.replace(names, marked))
	}
	if t.insert, err = conn.PrepareContext(ctx, insert); err != nil {
		return err
	}
	if err := t.prepareReplaced(ctx, conn, opts); err != nil {
		return err
	}
	remove, complete := "DELETE FROM "+name+" WHERE ", "DELETE FROM "+name+" WHERE _account = ?2 AND _generation < ?3"
	switch {
	case opts.Append && t.Keys == 0:
		return nil
	case opts.Append:
		t.complete, err = conn.PrepareContext(ctx, t.vanished())
		return err
	case opts.SoftDeletes:
		remove = "UPDATE " + name + " SET _deleted_at = ? WHERE _deleted_at IS NULL AND "
		complete = "UPDATE " + name + " SET _deleted_at = ?1 WHERE _deleted_at IS NULL AND _account = ?2 AND _generation < ?3"
	}
	if t.remove, err = conn.PrepareContext(ctx, remove+t.matchesKey()); err != nil {
		return err
	}
	t.complete, err = conn.PrepareContext(ctx, complete)
	return err
}

// replace returns the assignments that replace a row by a newer version.
func (t *table) replace(names []string, marked bool) string {
	var sets []string
	for _, name := range names {
		if !slices.Contains(t.PrimaryKey(), name) {
			sets = append(sets, rows.Quote(name)+" = excluded."+rows.Quote(name))
		}
	}
	if marked {
		sets = append(sets, "_deleted_at = NULL")
	}
	return strings.Join(sets, ", ")
}

func (t *table) matchesKey() string {
	var conditions []string
	for _, key := range t.PrimaryKey() {
		conditions = append(conditions, rows.Quote(key)+" = ?")
	}
	return strings.Join(conditions, " AND ")
}

// vanished returns the statement that appends a DELETE for each object whose newest version is of an older generation. It
// is idempotent.
func (t *table) vanished() string {
	keys := rows.QuoteAll(t.Names()[:t.Keys])
	return fmt.Sprintf(`INSERT INTO %[1]s (%[2]s, _account, _generation, _synced_at, _operation)
SELECT %[2]s, ?2, ?3, ?1, 'DELETE' FROM (SELECT %[2]s, _generation, _operation,
	row_number() OVER (PARTITION BY %[2]s ORDER BY _arrival DESC) AS age FROM %[1]s WHERE _account = ?2)
WHERE age = 1 AND _operation = 'UPSERT' AND _generation < ?3`, rows.Quote(t.Name), keys)
}

// close closes the statements.
func (t *table) close() error {
	var errs []error
	for _, s := range []*sql.Stmt{t.insert, t.remove, t.replaced, t.complete} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}
