package sqlite

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Begin makes the tables of the streams, or adds the columns that they lack, and reads the states.
func (d *Destination) Begin(ctx context.Context, streams []*connectorv1.Stream) ([]*connectorv1.StreamState, error) {
	var states []*connectorv1.StreamState
	folded := map[string]string{}
	for _, stream := range streams {
		lower := strings.ToLower(stream.GetName())
		if other, taken := folded[lower]; taken {
			return nil, fmt.Errorf("streams %s and %s differ only in case, which names of tables ignore: leave one out",
				other, stream.GetName())
		}
		folded[lower] = stream.GetName()
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
	t, err := layOut(stream)
	if err != nil {
		return err
	}
	if err := d.migrate(ctx, t); err != nil {
		return err
	}
	if former := d.tables[t.stream]; former != nil {
		if err := former.close(); err != nil {
			return err
		}
	}
	d.tables[t.stream] = t
	return t.prepare(ctx, d.conn)
}

// migrate makes the table, or adds to it what it lacks. Columns that the schema no longer names stay and stay filled.
func (d *Destination) migrate(ctx context.Context, t *table) error {
	have, key, err := d.tableInfo(ctx, t.stream)
	if err != nil {
		return err
	}
	if len(have) == 0 {
		_, err := d.conn.ExecContext(ctx, createTable(t))
		return err
	}
	if !slices.EqualFunc(key, t.primaryKey(), strings.EqualFold) || !hasOwnColumns(have) {
		return fmt.Errorf("table %s was made by something else, or has another primary key: rename it, or choose another file",
			t.stream)
	}
	wanted := t.columns
	t.columns = slices.Clone(wanted[:t.keys])
	for _, c := range have {
		t.add(c)
	}
	for _, c := range wanted {
		if !t.add(c) {
			continue
		}
		if err := d.addColumn(ctx, t.stream, c); err != nil {
			return err
		}
	}
	return nil
}

func createTable(t *table) string {
	var columns []string
	for i, c := range t.columns {
		declared := quote(c.name) + " " + string(c.kind)
		if i < t.keys {
			declared += " NOT NULL"
		}
		columns = append(columns, declared)
	}
	columns = append(columns, ownColumns()...)
	return fmt.Sprintf("CREATE TABLE %s (\n\t%s,\n\tPRIMARY KEY (%s)\n)",
		quote(t.stream), strings.Join(columns, ",\n\t"), strings.Join(t.primaryKey(), ", "))
}

// hasOwnColumns tells whether a table has the columns that all of ours have.
func hasOwnColumns(have []column) bool {
	for _, own := range []string{accountColumn, asOfColumn, extraColumn} {
		if !slices.ContainsFunc(have, func(c column) bool { return c.name == own }) {
			return false
		}
	}
	return true
}

// tableInfo gives the columns of a table, and those of its primary key, quoted. Both are empty if there is no such table.
func (d *Destination) tableInfo(ctx context.Context, name string) (columns []column, key []string, err error) {
	rows, err := d.conn.QueryContext(ctx, "SELECT name, type, pk FROM pragma_table_info(?)", name)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	positions := map[int]string{}
	for rows.Next() {
		var c column
		var position int
		if err := rows.Scan(&c.name, &c.kind, &position); err != nil {
			return nil, nil, err
		}
		columns = append(columns, c)
		if position > 0 {
			positions[position] = quote(c.name)
		}
	}
	for i := 1; i <= len(positions); i++ {
		key = append(key, positions[i])
	}
	return columns, key, rows.Err()
}

// addColumn adds a column and moves there what _extra held of it, in one transaction.
func (d *Destination) addColumn(ctx context.Context, name string, c column) error {
	statements := []string{fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", quote(name), quote(c.name), c.kind)}
	if !strings.ContainsAny(c.name, `"\`) { // in a path of SQLite's JSON functions, these could not be told apart
		path := "'$.\"" + strings.ReplaceAll(c.name, "'", "''") + "\"'"
		statements = append(statements, fmt.Sprintf(
			"UPDATE %[1]s SET %[2]s = _extra ->> %[3]s, _extra = nullif(json_remove(_extra, %[3]s), '{}') "+
				"WHERE json_type(_extra, %[3]s) IN (%[4]s)", quote(name), quote(c.name), path, c.kind.jsonTypes()))
	}
	return d.transaction(ctx, func() error {
		for _, s := range statements {
			if _, err := d.conn.ExecContext(ctx, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// jsonTypes lists what SQLite's json_type calls the values that a column can hold as they are.
func (k kind) jsonTypes() string {
	switch k {
	case integer:
		return "'null', 'integer'"
	case real:
		return "'null', 'integer', 'real'"
	case boolean:
		return "'null', 'true', 'false'"
	}
	return "'null', 'text', 'object', 'array'"
}

// states reads what is stored of a stream.
func (d *Destination) states(ctx context.Context, stream string) ([]*connectorv1.StreamState, error) {
	rows, err := d.conn.QueryContext(ctx,
		"SELECT account, state FROM "+stateTable+" WHERE stream = ? ORDER BY account", stream)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var states []*connectorv1.StreamState
	for rows.Next() {
		state := &connectorv1.StreamState{Stream: stream, State: &structpb.Struct{}}
		var content string
		if err := rows.Scan(&state.Account, &content); err != nil {
			return nil, err
		}
		if err := protojson.Unmarshal([]byte(content), state.GetState()); err != nil {
			return nil, fmt.Errorf("state of %s in table %s is not a JSON object: delete that row to read the stream anew",
				stream, stateTable)
		}
		states = append(states, state)
	}
	return states, rows.Err()
}
