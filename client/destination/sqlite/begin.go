package sqlite

import (
	"context"
	"fmt"
	"slices"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Begin creates the tables of the streams or migrates them to the schemas, and reads the states. In append mode it removes
// versions that no state covers, since they will be sent again.
func (d *Destination) Begin(ctx context.Context, streams []*connectorv1.Stream) (begun client.BeginResult, err error) {
	d.notices = nil
	if err := d.reopen(ctx); err != nil {
		return begun, explain(d.path, err)
	}
	if _, err := d.conn.ExecContext(ctx, tables); err != nil {
		return begun, explain(d.path, err)
	}
	for _, stream := range streams {
		if err := d.beginTable(ctx, stream); err != nil {
			return begun, explain(d.path, err)
		}
		stored, err := d.states(ctx, stream.GetName())
		if err != nil {
			return begun, explain(d.path, err)
		}
		begun.States = append(begun.States, stored...)
	}
	begun.Notices = d.notices
	if d.version, err = d.schemaVersion(ctx); err != nil {
		return begun, explain(d.path, err)
	}
	begun.Refused, err = d.retry(ctx)
	return begun, explain(d.path, err)
}

func (d *Destination) beginTable(ctx context.Context, stream *connectorv1.Stream) error {
	t, err := layOut(stream, d.opts)
	if err != nil {
		return err
	}
	marked := false
	if err := d.transaction(ctx, func() (err error) {
		marked, err = d.adapt(ctx, t)
		return err
	}); err != nil {
		return err
	}
	if former := d.tables[t.Stream]; former != nil {
		if err := former.close(); err != nil {
			return err
		}
	}
	d.tables[t.Stream] = t
	return t.prepare(ctx, d.conn, d.opts, marked)
}

func layOut(stream *connectorv1.Stream, opts Options) (*table, error) {
	layout, err := rows.LayOut(stream, opts)
	if err != nil {
		return nil, err
	}
	for i, c := range layout.Columns {
		if c.Kind == rows.JSON { // stored as text in SQLite
			layout.Columns[i].Kind = rows.Text
		}
	}
	return &table{Table: layout}, nil
}

// adapt adapts the table in the database to the layout, in a transaction. It reports whether the table has _deleted_at.
func (d *Destination) adapt(ctx context.Context, t *table) (marked bool, err error) {
	now, err := d.find(ctx, t.Name)
	if err != nil {
		return false, err
	}
	was, err := d.examine(ctx, t, now)
	if err != nil {
		return false, err
	}
	if marked, err = d.migrate(ctx, t, now, was); err != nil {
		return false, err
	}
	if err := d.indexParent(ctx, t); err != nil {
		return false, err
	}
	if d.opts.Append {
		if err := d.removeUncovered(ctx, t); err != nil {
			return false, err
		}
	}
	return marked, d.storeIdentity(ctx, t, was)
}

// removeUncovered deletes the versions that no state covers.
func (d *Destination) removeUncovered(ctx context.Context, t *table) error {
	_, err := d.conn.ExecContext(ctx, fmt.Sprintf("DELETE FROM %s AS t WHERE _arrival > coalesce("+
		"(SELECT arrived FROM %s AS s WHERE s.stream = ? AND s.account = t._account), 0)",
		rows.Quote(t.Name), rows.StateTable), t.Stream)
	return err
}

// migrate creates the table, or adds missing columns and widens narrow ones. It reports whether the table has _deleted_at.
func (d *Destination) migrate(ctx context.Context, t *table, now foundTable, was *rows.Identity) (marked bool, err error) {
	if now.isMissing() {
		_, err := d.conn.ExecContext(ctx, create(t.Table, d.opts, rows.NewID()))
		return d.opts.SoftDeletes, err
	}
	if err := d.restoreOwn(ctx, t, &now, was); err != nil {
		return false, err
	}
	if err := d.recognize(t, now.columns, now.key); err != nil {
		return false, err
	}
	have := now.columns
	marked = hasColumn(have, rows.DeletedAt)
	if d.opts.SoftDeletes && !marked {
		marked = true
		if _, err := d.conn.ExecContext(ctx, "ALTER TABLE "+rows.Quote(t.Name)+" ADD COLUMN "+columnDDL(rows.DeletedAt)); err != nil {
			return false, err
		}
	}
	have = slices.DeleteFunc(have, func(c rows.Column) bool { return c.Name[0] == '_' })
	former := map[string]rows.Kind{}
	for _, c := range have {
		former[c.Name] = c.Kind
	}
	add, widen, taken, err := t.Adapt(have, was, func(column string) (rounded bool, err error) {
		err = d.conn.QueryRowContext(ctx, fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM %s WHERE abs(%s) > %d)",
			rows.Quote(t.Name), rows.Quote(column), int64(rows.Exact))).Scan(&rounded)
		return rounded, err
	})
	if err != nil {
		return false, err
	}
	for _, field := range taken {
		d.notices = append(d.notices, client.Notice{Stream: t.Stream, Message: rows.TakenNotice(t.Name, field)})
	}
	for _, c := range add {
		if err := d.addColumn(ctx, t.Name, c); err != nil {
			return false, err
		}
	}
	for _, c := range widen {
		if slices.Contains(t.PrimaryKey(), c.Name) {
			continue // SQLite columns take values of any type, and a key column can't be replaced
		}
		if _, columns := t.ParentIndex(d.opts); slices.Contains(columns, c.Name) { // the index is re-created for the new column
			if err := d.dropIndex(ctx, t, columns); err != nil {
				return false, err
			}
		}
		if err := d.widen(ctx, t.Name, c, former[c.Name]); err != nil {
			return false, err
		}
	}
	return marked, nil
}

// restoreOwn restores those of the sync's own columns that something else dropped.
func (d *Destination) restoreOwn(ctx context.Context, t *table, now *foundTable, was *rows.Identity) error {
	if was == nil {
		return nil
	}
	for _, name := range d.opts.OwnColumns() {
		if hasColumn(now.columns, name) || !slices.Contains(was.Columns, name) {
			continue
		}
		if err := d.exec(ctx, "ALTER TABLE %s ADD COLUMN %s", rows.Quote(t.Name), columnDDL(name)); err != nil {
			return err
		}
		now.columns = append(now.columns, rows.Column{Path: name, Name: name, Kind: rows.Text})
	}
	return nil
}

// recognize returns an error unless the table was created by a sync with the same options.
func (d *Destination) recognize(t *table, have []rows.Column, key []string) error {
	for _, name := range []string{rows.Account, rows.Generation, rows.AsOf, rows.EventID, rows.Extra, rows.SyncedAt} {
		if !hasColumn(have, name) {
			return fmt.Errorf("table %s was not created by a sync: rename it, or choose another file", t.Name)
		}
	}
	if hasColumn(have, rows.Arrival) != d.opts.Append {
		return fmt.Errorf("table %s was created %s mode=append: use the same mode, rename the table, or choose another file",
			t.Name, map[bool]string{true: "without", false: "with"}[d.opts.Append])
	}
	if !d.opts.Append && !slices.Equal(key, t.PrimaryKey()) {
		return fmt.Errorf("table %s has another primary key: rename it, or choose another file", t.Name)
	}
	return nil
}

func hasColumn(have []rows.Column, name string) bool {
	return slices.ContainsFunc(have, func(c rows.Column) bool { return c.Name == name })
}

// tableInfo returns the columns of a table, and those of its primary key. Both are empty if the table doesn't exist.
func (d *Destination) tableInfo(ctx context.Context, name string) (columns []rows.Column, key []string, err error) {
	found, err := d.conn.QueryContext(ctx, "SELECT lower(name), type, pk FROM pragma_table_xinfo(?)", name)
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

// states reads the stored states of a stream.
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
		d.completed[client.StreamKey{Stream: stream, Account: account}] = completed
		if content == "" { // cleared because the table was lost
			continue
		}
		state, err := rows.DecodeState(stream, account, content)
		if err != nil {
			return nil, err
		}
		states = append(states, state)
	}
	return states, found.Err()
}
