package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// The columns that every table has beside those of the records, in the order of the arguments.
const (
	accountColumn = "_account"
	asOfColumn    = "_as_of"
	extraColumn   = "_extra"
)

// ownColumns declares them.
func ownColumns() []string {
	return []string{
		quote(accountColumn) + " TEXT NOT NULL DEFAULT ''", quote(asOfColumn) + " TEXT", quote(extraColumn) + " TEXT",
	}
}

// table is the table of one stream: how its columns lie, and the statements that fill it.
type table struct {
	stream         string
	columns        []column         // the keys first
	keys           int              // how many of them are keys
	member         map[string]int   // the column of a top-level member
	nested         map[string][]int // the key columns below a top-level member
	upsert, remove *sql.Stmt
	args           []any // of upsert, used again for each row
}

// layOut gives the table that a stream's schema asks for.
func layOut(stream *connectorv1.Stream) (*table, error) {
	t := &table{stream: stream.GetName()}
	if err := checkTableName(t.stream); err != nil {
		return nil, err
	}
	if len(stream.GetPrimaryKey()) == 0 {
		return nil, fmt.Errorf("stream %s has no primary key, by which rows of a table are replaced: leave it out", t.stream)
	}
	for _, path := range stream.GetPrimaryKey() {
		if !t.add(column{path, kindOf(schemaAt(stream.GetJsonSchema(), path))}) {
			return nil, fmt.Errorf("key %q of stream %s cannot be the name of a column: leave the stream out", path, t.stream)
		}
	}
	t.keys = len(t.columns)
	properties := stream.GetJsonSchema().GetFields()["properties"].GetStructValue().GetFields()
	names := make([]string, 0, len(properties))
	for name := range properties {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t.add(column{name, kindOf(properties[name].GetStructValue())}) // without a column it is kept in _extra
	}
	return t, nil
}

// add appends a column, unless the table has one of that name or cannot have it. SQLite's names ignore case.
func (t *table) add(c column) bool {
	taken := func(name string) bool { return strings.EqualFold(name, c.name) }
	if c.name == "" || strings.ContainsRune(c.name, 0) || slices.ContainsFunc(t.columns, func(have column) bool {
		return taken(have.name)
	}) || slices.ContainsFunc([]string{accountColumn, asOfColumn, extraColumn}, taken) {
		return false
	}
	t.columns = append(t.columns, c)
	return true
}

// prepare makes the statements, once the table in the database has all columns.
func (t *table) prepare(ctx context.Context, conn *sql.Conn) (err error) {
	t.member, t.nested = map[string]int{}, map[string][]int{}
	for i, c := range t.columns {
		if top, _, below := strings.Cut(c.name, "."); below && i < t.keys {
			t.nested[top] = append(t.nested[top], i)
		} else {
			t.member[c.name] = i
		}
	}
	var names, updates, conditions []string
	for i, c := range t.columns {
		names = append(names, quote(c.name))
		if i < t.keys {
			conditions = append(conditions, quote(c.name)+" = ?")
		} else {
			updates = append(updates, quote(c.name)+" = excluded."+quote(c.name))
		}
	}
	for _, own := range []string{asOfColumn, extraColumn} {
		updates = append(updates, quote(own)+" = excluded."+quote(own))
	}
	conditions = append(conditions, quote(accountColumn)+" = ?")
	names = append(names, quote(accountColumn), quote(asOfColumn), quote(extraColumn))
	t.args = make([]any, len(names))

	t.upsert, err = conn.PrepareContext(ctx, fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s) ON CONFLICT (%s) DO UPDATE SET %s",
		quote(t.stream), strings.Join(names, ", "), strings.Repeat("?, ", len(names)-1)+"?",
		strings.Join(t.primaryKey(), ", "), strings.Join(updates, ", ")))
	if err != nil {
		return err
	}
	t.remove, err = conn.PrepareContext(ctx,
		fmt.Sprintf("DELETE FROM %s WHERE %s", quote(t.stream), strings.Join(conditions, " AND ")))
	return err
}

// primaryKey gives the quoted columns of the primary key. The account is last, so that keys alone use its index, too.
func (t *table) primaryKey() []string {
	var names []string
	for _, c := range t.columns[:t.keys] {
		names = append(names, quote(c.name))
	}
	return append(names, quote(accountColumn))
}

// close gives the statements back.
func (t *table) close() error {
	var errs []error
	for _, s := range []*sql.Stmt{t.upsert, t.remove} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// checkTableName refuses names that SQLite or we keep for ourselves.
func checkTableName(name string) error {
	lower := strings.ToLower(name)
	if name == "" || strings.ContainsRune(name, 0) || strings.HasPrefix(lower, "sqlite_") || lower == stateTable {
		return fmt.Errorf("stream %q cannot be the name of a table: leave it out", name)
	}
	return nil
}

// quote makes any name safe in a statement.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
