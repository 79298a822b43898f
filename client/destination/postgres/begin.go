package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Begin makes the tables of the streams, or brings them up to the schemas, and reads the states. In append mode it removes
// versions that no state covers: they come again.
func (d *Destination) Begin(ctx context.Context, streams []*connectorv1.Stream) (client.Beginning, error) {
	existing, err := d.existing(ctx)
	if err != nil {
		return client.Beginning{}, d.explain(err)
	}
	names := make([]string, len(streams))
	for i, stream := range streams {
		names[i] = stream.GetName()
		layout, err := rows.LayOut(stream, d.opts)
		if err != nil {
			return client.Beginning{}, err
		}
		t := &table{Table: layout, marked: d.opts.SoftDeletes}
		if former := d.tables[t.Stream]; former != nil && former.staged {
			if _, err := d.conn.Exec(ctx, "DROP TABLE "+former.stage()); err != nil {
				return client.Beginning{}, d.explain(err)
			}
		}
		err = pgx.BeginFunc(ctx, d.conn, func(tx pgx.Tx) error { return d.migrate(ctx, tx, t, existing[t.Name]) })
		if err != nil {
			return client.Beginning{}, fmt.Errorf("prepare the table of %s: %w", t.Stream, d.explain(err))
		}
		t.names = append(t.Names(), own[:]...)
		if d.opts.Append {
			t.names = append(t.names, rows.Operation)
		}
		d.tables[t.Stream] = t
	}
	states, err := d.states(ctx, names)
	return client.Beginning{States: states}, d.explain(err)
}

// existing gives the columns of every table of the schema, with the names of their types as paths.
func (d *Destination) existing(ctx context.Context) (map[string][]rows.Column, error) {
	found, err := d.conn.Query(ctx, `SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`, d.schema)
	if err != nil {
		return nil, err
	}
	all := map[string][]rows.Column{}
	var table, column, kind string
	_, err = pgx.ForEachRow(found, []any{&table, &column, &kind}, func() error {
		k, _ := kindOf(kind)
		all[table] = append(all[table], rows.Column{Path: kind, Name: column, Kind: k})
		return nil
	})
	return all, err
}

// migrate makes the table, or adds to it what it lacks and widens what is too narrow.
func (d *Destination) migrate(ctx context.Context, tx pgx.Tx, t *table, have []rows.Column) error {
	if len(have) == 0 {
		_, err := tx.Exec(ctx, t.create(d.opts))
		if err == nil && d.opts.Append && t.Keys > 0 {
			_, err = tx.Exec(ctx, fmt.Sprintf("CREATE INDEX %s ON %s (%s, %s)", rows.Quote(t.KeyIndex()),
				rows.Quote(t.Name), rows.QuoteAll(t.PrimaryKey()), rows.Arrival))
		}
		if err != nil {
			return err
		}
		return d.indexParent(ctx, tx, t)
	}
	if err := d.recognize(ctx, tx, t, have); err != nil {
		return err
	}
	var statements []string
	if has(have, rows.DeletedAt) {
		t.marked = true
	} else if d.opts.SoftDeletes {
		statements = append(statements, "ALTER TABLE "+rows.Quote(t.Name)+" ADD COLUMN "+declare(rows.DeletedAt))
	}
	have = slices.DeleteFunc(slices.Clone(have), func(c rows.Column) bool { return c.Name[0] == '_' })
	add, widen, _, err := t.Meet(have, nil, func(column string) (rounded bool, err error) {
		err = tx.QueryRow(ctx, fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM %s WHERE abs(%s) > %d)",
			rows.Quote(t.Name), rows.Quote(column), int64(rows.Exact))).Scan(&rounded)
		return rounded, err
	})
	if err != nil {
		return err
	}
	statements = append(statements, alter(t.Name, add, widen)...)
	if d.opts.Append {
		statements = append(statements, fmt.Sprintf("DELETE FROM %s AS t WHERE _arrival > coalesce("+
			"(SELECT arrived FROM %s AS s WHERE s.stream = %s AND s.account = t._account), 0)",
			rows.Quote(t.Name), rows.StateTable, literal(t.Stream)))
	}
	for _, statement := range statements {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return d.indexParent(ctx, tx, t)
}

// alter gives the statements that add and widen columns, all of a table at once so that it is rewritten at most once, and
// those that move into them what _extra held.
func alter(name string, add, widen []rows.Column) []string {
	var changes, moves []string
	for _, c := range add {
		changes = append(changes, fmt.Sprintf("ADD COLUMN %s %s", rows.Quote(c.Name), types[c.Kind]))
	}
	for _, c := range widen {
		changes = append(changes, fmt.Sprintf("ALTER COLUMN %[1]s TYPE %[2]s USING %[1]s::%[2]s", rows.Quote(c.Name), types[c.Kind]))
	}
	if len(changes) == 0 {
		return nil
	}
	for _, c := range slices.Concat(add, widen) {
		moves = append(moves, gather(name, c))
	}
	return append([]string{"ALTER TABLE " + rows.Quote(name) + " " + strings.Join(changes, ", ")}, moves...)
}

// gather moves into a column what _extra holds of it and the column can hold now. Rows with what jsonb cannot hold stay as
// they are.
func gather(table string, c rows.Column) string {
	value := "(_extra -> " + literal(c.Path) + ")"
	content := "(_extra ->> " + literal(c.Path) + ")"
	var kinds string
	fits := "true"
	switch c.Kind {
	case rows.Integer:
		kinds, fits = "'number'", value+`::text ~ '^-?[0-9]{1,18}$'`
	case rows.Real:
		kinds, fits = "'number'", fmt.Sprintf("(%[1]s::text ~ '[.eE]' OR abs(%[1]s::text::numeric) < %d)", value, int64(rows.Exact))
	case rows.Boolean:
		kinds = "'boolean'"
	case rows.JSON:
		kinds = "'object', 'array'"
	default:
		kinds = "'string', 'number', 'boolean', 'object', 'array'"
	}
	return fmt.Sprintf(`UPDATE %[1]s SET %[2]s = %[3]s::%[4]s, _extra = nullif((_extra::jsonb - %[5]s)::text, '{}')::json
WHERE CASE WHEN json_typeof(%[6]s) IN (%[7]s) AND _extra::text !~* '\\u(0000|d[89a-f])' THEN %[8]s END`,
		rows.Quote(table), rows.Quote(c.Name), content, types[c.Kind], literal(c.Path), value, kinds, fits)
}

// recognize refuses a table that is not one of ours made with the same options.
func (d *Destination) recognize(ctx context.Context, tx pgx.Tx, t *table, have []rows.Column) error {
	for _, name := range append(own[:], rows.SyncedAt) {
		if !has(have, name) {
			return fmt.Errorf("table %s in %s was made by something else: rename it, or choose another schema", t.Name, d.where)
		}
	}
	if has(have, rows.Arrival) != d.opts.Append {
		return fmt.Errorf("table %s in %s was made %s mode=append: sync as then, rename the table, or choose another schema",
			t.Name, d.where, map[bool]string{true: "without", false: "with"}[d.opts.Append])
	}
	for _, c := range have {
		if c.Kind == 0 && c.Name[0] != '_' {
			return fmt.Errorf("column %s of table %s in %s is of type %s, which no sync made: change it to one of bigint, "+
				"double precision, boolean, text and jsonb, or drop it", c.Name, t.Name, d.where, c.Path)
		}
	}
	if d.opts.Append {
		return nil
	}
	found, err := tx.Query(ctx, `SELECT a.attname FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS k (number, place), pg_attribute a
WHERE i.indrelid = $1::regclass AND i.indisprimary AND a.attrelid = i.indrelid AND a.attnum = k.number ORDER BY k.place`,
		rows.Quote(t.Name))
	if err != nil {
		return err
	}
	key, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err == nil && !slices.Equal(key, t.PrimaryKey()) {
		err = fmt.Errorf("table %s in %s has another primary key: rename it, or choose another schema", t.Name, d.where)
	}
	return err
}

func has(have []rows.Column, name string) bool {
	return slices.ContainsFunc(have, func(c rows.Column) bool { return c.Name == name })
}

// states reads what is stored of the streams.
func (d *Destination) states(ctx context.Context, streams []string) ([]*connectorv1.StreamState, error) {
	found, err := d.conn.Query(ctx, "SELECT stream, account, state, completed FROM "+rows.StateTable+
		" WHERE stream = ANY($1) ORDER BY stream, account", streams)
	if err != nil {
		return nil, err
	}
	var states []*connectorv1.StreamState
	var stream, account, content string
	var completed int64
	_, err = pgx.ForEachRow(found, []any{&stream, &account, &content, &completed}, func() error {
		state, err := rows.DecodeState(stream, account, content)
		d.completed[lane{stream, account}] = completed
		states = append(states, state)
		return err
	})
	return states, err
}
