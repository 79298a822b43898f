package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
)

// addColumn adds a column and moves its values there from _extra.
func (d *Destination) addColumn(ctx context.Context, table string, c rows.Column) error {
	if err := d.exec(ctx, "ALTER TABLE %s ADD COLUMN %s %s", rows.Quote(table), rows.Quote(c.Name), typeDDL(c.Kind)); err != nil {
		return err
	}
	return d.gather(ctx, table, c)
}

// widen replaces a column by one of a wider type, since SQLite can't change a column's type, and moves its values there
// from _extra.
func (d *Destination) widen(ctx context.Context, table string, c rows.Column, former rows.Kind) error {
	name, next := rows.Quote(c.Name), rows.Quote("_wider_"+c.Name)
	value := "CAST(" + name + " AS " + typeDDL(c.Kind) + ")"
	if former == rows.Boolean { // spelled as in JSON
		value = "CASE " + name + " WHEN 1 THEN 'true' WHEN 0 THEN 'false' END"
	}
	for _, statement := range []string{
		"ALTER TABLE %[1]s ADD COLUMN %[3]s %[4]s", "UPDATE %[1]s SET %[3]s = %[5]s",
		"ALTER TABLE %[1]s DROP COLUMN %[2]s", "ALTER TABLE %[1]s RENAME COLUMN %[3]s TO %[2]s",
	} {
		statement = strings.ReplaceAll(statement, "%[1]s", rows.Quote(table))
		statement = strings.NewReplacer("%[2]s", name, "%[3]s", next, "%[4]s", typeDDL(c.Kind), "%[5]s", value).Replace(statement)
		if err := d.exec(ctx, "%s", statement); err != nil {
			return fmt.Errorf("widen column %s of table %s: %w", c.Name, table, err)
		}
	}
	return d.gather(ctx, table, c)
}

// gather moves the values of a column from _extra into the column, where it can now hold them.
func (d *Destination) gather(ctx context.Context, table string, c rows.Column) error {
	if strings.ContainsAny(c.Path, `"\`) { // SQLite's JSON paths can't escape these
		return nil
	}
	path := `'$."` + strings.ReplaceAll(c.Path, "'", "''") + `"'`
	return d.exec(ctx, `UPDATE %[1]s SET
	%[2]s = CASE json_type(_extra, %[3]s) WHEN 'text' THEN _extra ->> %[3]s WHEN 'null' THEN NULL ELSE %[4]s END,
	_extra = nullif(json_remove(_extra, %[3]s), '{}')
WHERE json_type(_extra, %[3]s) IN (%[5]s)`, rows.Quote(table), rows.Quote(c.Name), path,
		map[bool]string{true: "_extra -> ", false: "_extra ->> "}[typeDDL(c.Kind) == "TEXT"]+path, movable(c.Kind, path))
}

// movable returns the SQL list of json_type results for which a column can hold the value unchanged.
func movable(k rows.Kind, path string) string {
	switch k {
	case rows.Integer:
		return "'null', 'integer'"
	case rows.Real:
		return fmt.Sprintf("'null', 'real', CASE WHEN abs(_extra ->> %s) <= %d THEN 'integer' END", path, int64(rows.Exact))
	case rows.Boolean:
		return "'null', 'true', 'false'"
	}
	return "'null', 'text', 'object', 'array', 'integer', 'real', 'true', 'false'"
}

func (d *Destination) exec(ctx context.Context, statement string, names ...any) error {
	_, err := d.conn.ExecContext(ctx, fmt.Sprintf(statement, names...))
	return err
}
