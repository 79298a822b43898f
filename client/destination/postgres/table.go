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
	staged  bool       // its staging table exists
	refused bool       // records of it were set aside and may still be
	names   []string   // of the columns, in the order of a row's values
}

// ownColumns are the sync's own columns in the order of their values: see rows.AccountAt.
var ownColumns = [...]string{rows.Account, rows.Generation, rows.AsOf, rows.EventID, rows.Extra}

// columnDDL returns the DDL of one of the sync's own columns.
func columnDDL(name string) string {
	switch name {
	case rows.Account:
		return name + " text NOT NULL DEFAULT ''"
	case rows.Generation:
		return name + " bigint NOT NULL DEFAULT 0"
	case rows.AsOf, rows.DeletedAt:
		return name + " timestamptz"
	case rows.SyncedAt:
		return name + " timestamptz NOT NULL DEFAULT now()"
	case rows.Extra:
		return name + " json"
	}
	return name + " text"
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

// stage returns the name of the temporary table that the rows of a commit are copied to.
func (t *table) stage() string { return "pg_temp." + rows.Quote(t.stageName()) }

func (t *table) stageName() string { return rows.SafeName(t.Name + " staged") }

// createStage returns the statement that creates the staging table. Its columns are those of the values, plus one that
// reports whether the row is a deletion.
func (t *table) createStage() string {
	return fmt.Sprintf("CREATE TEMP TABLE %s AS SELECT %s, false AS _gone FROM %s WITH NO DATA",
		t.stage(), rows.QuoteAll(t.names), t.qualified())
}

// merge returns the statement that moves the staged rows into the table, replacing rows with the same key.
func (t *table) merge() string {
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
	return fmt.Sprintf("INSERT INTO %s (%[2]s) SELECT %[2]s FROM %s WHERE NOT _gone ON CONFLICT (%s) DO UPDATE SET %s",
		t.qualified(), rows.QuoteAll(t.names), t.stage(), rows.QuoteAll(t.PrimaryKey()), strings.Join(sets, ", "))
}

// remove returns the statement that removes or marks the rows named by the staged deletions.
func (t *table) remove(opts rows.Options) string {
	var same []string
	for _, key := range t.PrimaryKey() {
		same = append(same, "t."+rows.Quote(key)+" = s."+rows.Quote(key))
	}
	conditions := strings.Join(same, " AND ")
	if opts.SoftDeletes {
		return fmt.Sprintf("UPDATE %s AS t SET _deleted_at = coalesce(s._as_of, now()) FROM %s AS s "+
			"WHERE s._gone AND t._deleted_at IS NULL AND %s", t.qualified(), t.stage(), conditions)
	}
	return fmt.Sprintf("DELETE FROM %s AS t USING %s AS s WHERE s._gone AND %s", t.qualified(), t.stage(), conditions)
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
