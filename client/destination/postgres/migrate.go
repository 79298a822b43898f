package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
)

// migration returns the statements that create the table, or add missing columns and widen narrow ones. Taken lists the
// fields without a column because the user has a column of that name. Ours describes the columns that syncs created; it is
// nil if that isn't known.
func (d *Destination) migration(ctx context.Context, t *table, now foundTable, ours *foundTable) (statements, taken []string, err error) {
	if now.isMissing() {
		t.marked = d.opts.SoftDeletes
		statements = []string{t.create(d.opts)}
		if d.opts.Append && t.Keys > 0 {
			statements = append(statements, fmt.Sprintf("CREATE INDEX ON %s (%s, %s)", t.qualified(), rows.QuoteAll(t.PrimaryKey()), rows.Arrival))
		}
		return append(statements, t.indexParent(d.opts, now)...), nil, nil
	}
	if ours != nil {
		for _, name := range d.opts.OwnColumns() { // dropped by something else
			if !hasColumn(now.columns, name) && slices.Contains(ours.Columns, name) {
				statements = append(statements, "ALTER TABLE "+t.qualified()+" ADD COLUMN "+columnDDL(name))
				now.columns = append(now.columns, column{Column: rows.Column{Name: name}, declared: "timestamp with time zone"})
			}
		}
	}
	if err := d.recognize(t, now); err != nil {
		return nil, nil, err
	}
	fit, taken, err := d.changes(ctx, t, now, ours)
	if err != nil {
		return nil, nil, err
	}
	statements = append(statements, fit...)
	if now.owned {
		return append(statements, t.indexParent(d.opts, now)...), taken, nil
	}
	if len(statements) > 0 {
		return nil, nil, d.ownerError(t, now.owner, statements)
	}
	return nil, taken, nil
}

// changes returns the statements that adapt the table to its stream.
func (d *Destination) changes(ctx context.Context, t *table, now foundTable, ours *foundTable) (statements, taken []string, err error) {
	t.marked = slices.ContainsFunc(now.columns, func(c column) bool {
		return c.Name == rows.DeletedAt && c.declared == "timestamp with time zone" && !c.generated
	})
	if d.opts.SoftDeletes && !t.marked {
		if hasColumn(now.columns, rows.DeletedAt) {
			return nil, nil, fmt.Errorf("column %s of table %s in %s was not created by a sync: rename it, or remove deletes=soft",
				rows.DeletedAt, t.Name, d.where)
		}
		statements, t.marked = append(statements, "ALTER TABLE "+t.qualified()+" ADD COLUMN "+columnDDL(rows.DeletedAt)), true
	}
	var identity *rows.Identity
	if ours != nil {
		identity = &ours.Identity
	}
	var have []rows.Column
	for _, c := range now.columns {
		if c.Name[0] == '_' {
			continue
		}
		have = append(have, c.Column)
		made := identity == nil || slices.Contains(identity.Columns, c.Name)
		if needed := slices.Contains(t.Names(), c.Name); needed && made && (c.Kind == 0 || c.generated) {
			return nil, nil, fmt.Errorf("column %s of table %s in %s has type %s, which syncs don't use: change it to bigint, "+
				"double precision, boolean, text or jsonb, or rename it", c.Name, t.Name, d.where, c.declared)
		}
	}
	add, widen, taken, err := t.Adapt(have, identity, func(column string) (rounded bool, err error) {
		err = d.conn.QueryRow(ctx, fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM %s WHERE abs(%s) > %d)",
			t.qualified(), rows.Quote(column), int64(rows.Exact))).Scan(&rounded)
		return rounded, err
	})
	return append(statements, alter(t, add, widen)...), taken, err
}

// alter returns the statements that add and widen columns, and those that move values from _extra into them. All changes
// to a table are one statement, so that it is rewritten at most once.
func alter(t *table, add, widen []rows.Column) []string {
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
		moves = append(moves, gather(t, c))
	}
	return append([]string{"ALTER TABLE " + t.qualified() + " " + strings.Join(changes, ", ")}, moves...)
}

// gather returns the statement that moves the values of a column from _extra into the column, where it can now hold them.
// Rows with values that jsonb can't hold are not changed.
func gather(t *table, c rows.Column) string {
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
		t.qualified(), rows.Quote(c.Name), content, types[c.Kind], literal(c.Path), value, kinds, fits)
}

// recognize returns an error unless the table was created by a sync with the same options.
func (d *Destination) recognize(t *table, now foundTable) error {
	for _, name := range append(ownColumns[:], rows.SyncedAt) {
		if !hasColumn(now.columns, name) {
			return fmt.Errorf("table %s in %s was not created by a sync: rename it, or choose another schema", t.Name, d.where)
		}
	}
	if appended := now.key == rows.Arrival; appended != d.opts.Append {
		return fmt.Errorf("table %s in %s was created %s mode=append: use the same mode, rename the table, or choose another schema",
			t.Name, d.where, map[bool]string{true: "with", false: "without"}[appended])
	}
	if !d.opts.Append && now.key != strings.Join(t.PrimaryKey(), ", ") {
		return fmt.Errorf("table %s in %s has another primary key: rename it, or choose another schema", t.Name, d.where)
	}
	return nil
}

func hasColumn(have []column, name string) bool {
	return slices.ContainsFunc(have, func(c column) bool { return c.Name == name })
}
