package sqlite

import (
	"context"
	"fmt"
	"slices"

	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Begin makes the tables of the streams, or brings them up to the schemas, and reads the states. In append mode it removes
// versions that no state covers: they come again.
func (d *Destination) Begin(ctx context.Context, streams []*connectorv1.Stream) ([]*connectorv1.StreamState, error) {
	var states []*connectorv1.StreamState
	for _, stream := range streams {
		if err := d.beginTable(ctx, stream); err != nil {
			return nil, explain(d.path, err)
		}
		stored, err := d.states(ctx, stream.GetName())
		if err != nil {
			return nil, explain(d.path, err)
		}
		states = append(states, stored...)
	}
	return states, nil
}

func (d *Destination) beginTable(ctx context.Context, stream *connectorv1.Stream) error {
	layout, err := rows.LayOut(stream, d.opts)
	if err != nil {
		return err
	}
	for i, c := range layout.Columns {
		if c.Kind == rows.JSON { // which SQLite keeps as text
			layout.Columns[i].Kind = rows.Text
		}
	}
	t := &table{Table: layout}
	marked, err := d.migrate(ctx, t)
	if err != nil {
		return err
	}
	if err := d.indexParent(ctx, t); err != nil {
		return err
	}
	if former := d.tables[t.Stream]; former != nil {
		if err := former.close(); err != nil {
			return err
		}
	}
	d.tables[t.Stream] = t
	if d.opts.Append {
		_, err := d.conn.ExecContext(ctx, fmt.Sprintf("DELETE FROM %s AS t WHERE _arrival > coalesce("+
			"(SELECT arrived FROM %s AS s WHERE s.stream = ? AND s.account = t._account), 0)",
			rows.Quote(t.Name), rows.StateTable), t.Stream)
		if err != nil {
			return err
		}
	}
	return t.prepare(ctx, d.conn, d.opts, marked)
}

// migrate makes the table, or adds to it what it lacks and widens what is too narrow. It tells whether the table has
// _deleted_at.
func (d *Destination) migrate(ctx context.Context, t *table) (marked bool, err error) {
	have, key, err := d.tableInfo(ctx, t.Name)
	if err != nil {
		return false, err
	}
	if len(have) == 0 {
		_, err := d.conn.ExecContext(ctx, create(t.Table, d.opts))
		return d.opts.SoftDeletes, err
	}
	if err := d.recognize(t, have, key); err != nil {
		return false, err
	}
	marked = has(have, rows.DeletedAt)
	if d.opts.SoftDeletes && !marked {
		marked = true
		if _, err := d.conn.ExecContext(ctx, "ALTER TABLE "+rows.Quote(t.Name)+" ADD COLUMN "+declare(rows.DeletedAt)); err != nil {
			return false, err
		}
	}
	have = slices.DeleteFunc(have, func(c rows.Column) bool { return c.Name[0] == '_' })
	former := map[string]rows.Kind{}
	for _, c := range have {
		former[c.Name] = c.Kind
	}
	add, widen, err := t.Meet(have, func(column string) (rounded bool, err error) {
		err = d.conn.QueryRowContext(ctx, fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM %s WHERE abs(%s) > %d)",
			rows.Quote(t.Name), rows.Quote(column), int64(rows.Exact))).Scan(&rounded)
		return rounded, err
	})
	if err != nil {
		return false, err
	}
	for _, c := range add {
		if err := d.transaction(ctx, func() error { return d.addColumn(ctx, t.Name, c) }); err != nil {
			return false, err
		}
	}
	for _, c := range widen {
		if slices.Contains(t.PrimaryKey(), c.Name) {
			continue // a column of SQLite's takes values of any type, and one that is a key cannot be made anew
		}
		if name, columns := t.ParentIndex(d.opts); slices.Contains(columns, c.Name) { // it is made again for the new column
			if err := d.exec(ctx, "DROP INDEX IF EXISTS %s", rows.Quote(name)); err != nil {
				return false, err
			}
		}
		if err := d.transaction(ctx, func() error { return d.widen(ctx, t.Name, c, former[c.Name]) }); err != nil {
			return false, err
		}
	}
	return marked, nil
}

// recognize refuses a table that is not one of ours made with the same options.
func (d *Destination) recognize(t *table, have []rows.Column, key []string) error {
	for _, name := range []string{rows.Account, rows.Generation, rows.AsOf, rows.EventID, rows.Extra, rows.SyncedAt} {
		if !has(have, name) {
			return fmt.Errorf("table %s was made by something else: rename it, or choose another file", t.Name)
		}
	}
	if has(have, rows.Arrival) != d.opts.Append {
		return fmt.Errorf("table %s was made %s mode=append: sync as then, rename the table, or choose another file",
			t.Name, map[bool]string{true: "without", false: "with"}[d.opts.Append])
	}
	if !d.opts.Append && !slices.Equal(key, t.PrimaryKey()) {
		return fmt.Errorf("table %s has another primary key: rename it, or choose another file", t.Name)
	}
	return nil
}

func has(have []rows.Column, name string) bool {
	return slices.ContainsFunc(have, func(c rows.Column) bool { return c.Name == name })
}

// tableInfo gives the columns of a table, and those of its primary key. Both are empty if there is no such table.
func (d *Destination) tableInfo(ctx context.Context, name string) (columns []rows.Column, key []string, err error) {
	found, err := d.conn.QueryContext(ctx, "SELECT name, type, pk FROM pragma_table_info(?)", name)
	if err != nil {
		return nil, nil, err
	}
	defer found.Close()
	positions := map[int]string{}
	for found.Next() {
		var name, kind string
		var position int
		if err := found.Scan(&name, &kind, &position); err != nil {
			return nil, nil, err
		}
		columns = append(columns, rows.Column{Path: name, Name: name, Kind: kindOf(kind)})
		if position > 0 {
			positions[position] = name
		}
	}
	for i := 1; i <= len(positions); i++ {
		key = append(key, positions[i])
	}
	return columns, key, found.Err()
}

// states reads what is stored of a stream.
func (d *Destination) states(ctx context.Context, stream string) ([]*connectorv1.StreamState, error) {
	found, err := d.conn.QueryContext(ctx,
		"SELECT account, state, completed FROM "+rows.StateTable+" WHERE stream = ? ORDER BY account", stream)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var states []*connectorv1.StreamState
	for found.Next() {
		var account, content string
		var completed int64
		if err := found.Scan(&account, &content, &completed); err != nil {
			return nil, err
		}
		state, err := rows.DecodeState(stream, account, content)
		if err != nil {
			return nil, err
		}
		d.completed[lane{stream, account}] = completed
		states = append(states, state)
	}
	return states, found.Err()
}
