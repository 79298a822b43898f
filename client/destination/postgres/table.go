package postgres

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
)

// table is a table of the database and the state of filling it.
type table struct {
	*rows.Table
	schema  string
	known   foundTable // as of the last commit, with the columns that syncs created
	marked  bool       // it has a _deleted_at column
	refused bool       // records of it were set aside and may still be
	names   []string   // of the columns, in the order of a row's values
	types   []string   // of these columns
}

// ownColumns are the sync's own columns in the order of their values: see rows.AccountAt.
var ownColumns = [...]string{rows.Account, rows.Generation, rows.AsOf, rows.EventID, rows.Extra}

// ownType returns the type of one of the sync's own columns.
func ownType(name string) string {
	switch name {
	case rows.Generation:
		return "bigint"
	case rows.AsOf, rows.DeletedAt, rows.SyncedAt:
		return "timestamptz"
	case rows.Extra:
		return "json"
	}
	return "text"
}

// columnDDL returns the DDL of one of the sync's own columns.
func columnDDL(name string) string {
	declared := name + " " + ownType(name)
	switch name {
	case rows.Account:
		return declared + " NOT NULL DEFAULT ''"
	case rows.Generation:
		return declared + " NOT NULL DEFAULT 0"
	case rows.SyncedAt:
		return declared + " NOT NULL DEFAULT now()"
	}
	return declared
}

// setNames sets names and types. In append mode, the operation comes last.
func (t *table) setNames(opts rows.Options) {
	t.names, t.types = append(t.Names(), ownColumns[:]...), nil
	if opts.Append {
		t.names = append(t.names, rows.Operation)
	}
	for _, c := range t.Columns {
		t.types = append(t.types, types[c.Kind])
	}
	for _, name := range t.names[len(t.Columns):] {
		t.types = append(t.types, ownType(name))
	}
}

// types maps kinds to types, as PostgreSQL's catalog spells them.
var types = map[rows.Kind]string{
	rows.Integer: "bigint", rows.Real: "double precision", rows.Boolean: "boolean", rows.Text: "text", rows.JSON: "jsonb",
}

// kindOf returns the kind of a type.
func kindOf(name string) (rows.Kind, bool) {
	for kind, t := range types {
		if t == name {
			return kind, true
		}
	}
	return 0, false
}

// create returns the statement that creates the table.
func (t *table) create(opts rows.Options) string {
	arrival := rows.Arrival + " bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
	return t.Create(t.qualified(), opts, arrival, func(k rows.Kind) string { return types[k] }, columnDDL)
}

// qualified returns the table's name, with its schema, for use in a statement.
func (t *table) qualified() string { return rows.Quote(t.schema) + "." + rows.Quote(t.Name) }

// insert returns the statement that appends rows, for append mode.
func (t *table) insert() statement {
	// In FROM, unnest would first store each column as a table of its own.
	return statement{"load " + t.Stream, fmt.Sprintf("INSERT INTO %s (%s) SELECT %s",
		t.qualified(), rows.QuoteAll(t.names), arguments("unnest($%d)", len(t.names))), t.types}
}

// merge returns the statement that stores rows, replacing those with the same key.
func (t *table) merge() statement {
	var sets []string
	for _, name := range t.names {
		if !slices.Contains(t.PrimaryKey(), name) {
			sets = append(sets, rows.Quote(name)+" = excluded."+rows.Quote(name))
		}
	}
	sets = append(sets, "_synced_at = excluded._synced_at")
	if t.marked {
		sets = append(sets, "_deleted_at = NULL")
	}
	s := t.insert()
	s.text += fmt.Sprintf(" ON CONFLICT (%s) DO UPDATE SET %s", rows.QuoteAll(t.PrimaryKey()), strings.Join(sets, ", "))
	return s
}

// remove returns the statement that removes or marks rows, given their keys, accounts, and when they were deleted.
func (t *table) remove(opts rows.Options) statement {
	return t.removeMatching(opts, t.PrimaryKey(), append(t.types[:t.Keys:t.Keys], ownType(rows.Account)))
}

// removeMatching returns the statement that removes or marks the rows that equal its arguments in these columns. The last
// argument is when they were deleted.
func (t *table) removeMatching(opts rows.Options, names, types []string) statement {
	var same []string
	for _, name := range names {
		same = append(same, fmt.Sprintf("t.%[1]s = gone.%[1]s", rows.Quote(name)))
	}
	target, conditions := t.qualified(), strings.Join(same, " AND ")
	gone := fmt.Sprintf("unnest(%s) AS gone (%s, %s)", arguments("$%d", len(names)+1), rows.QuoteAll(names), rows.AsOf)
	text := fmt.Sprintf("DELETE FROM %s AS t USING %s WHERE %s", target, gone, conditions)
	if opts.SoftDeletes {
		text = fmt.Sprintf("UPDATE %s AS t SET _deleted_at = coalesce(gone._as_of, now()) FROM %s WHERE t._deleted_at IS NULL AND %s",
			target, gone, conditions)
	}
	return statement{"load " + t.Stream, text, append(types, ownType(rows.AsOf))}
}

// complete returns the statement that removes or marks an account's ($1) rows of generations before $2. In append mode it
// instead appends a DELETE for each object whose newest version is of an older generation. The statement is idempotent.
func (t *table) complete(opts rows.Options) string {
	name := t.qualified()
	switch {
	case opts.Append:
		keys := rows.QuoteAll(t.Names()[:t.Keys])
		return fmt.Sprintf(`INSERT INTO %[1]s (%[2]s, _account, _generation, _operation)
SELECT %[2]s, $1, $2, 'DELETE' FROM (SELECT DISTINCT ON (%[2]s) %[2]s, _generation, _operation
	FROM %[1]s WHERE _account = $1 ORDER BY %[2]s, _arrival DESC) AS newest
WHERE _operation = 'UPSERT' AND _generation < $2`, name, keys)
	case opts.SoftDeletes:
		return "UPDATE " + name + " SET _deleted_at = now() WHERE _account = $1 AND _generation < $2 AND _deleted_at IS NULL"
	}
	return "DELETE FROM " + name + " WHERE _account = $1 AND _generation < $2"
}

// literal quotes s as a string literal for use in a statement.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
