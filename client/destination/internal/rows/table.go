package rows

import (
	"fmt"
	"slices"
	"strings"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Column is one that holds a value of the record.
type Column struct {
	Path string // of the field, dotted where it is a key below the top level
	Name string // in the database
	Kind Kind
}

// Table is the table of one stream.
type Table struct {
	Stream  string
	Name    string
	Columns []Column // the keys first
	Keys    int      // how many of them are keys
	Parent  int      // the column of the stream's parent_field, which OPERATION_DELETE_MATCHING matches; -1 if there is none

	member map[string]int   // the column of a top-level member
	nested map[string][]int // the key columns below a top-level member
}

// LayOut returns the table that a stream's schema asks for.
func LayOut(stream *connectorv1.Stream, opts Options) (*Table, error) {
	t := &Table{Stream: stream.GetName(), Name: SafeName(stream.GetName()), Parent: -1}
	if len(stream.GetPrimaryKey()) == 0 && !opts.Append {
		return nil, fmt.Errorf("stream %s has no primary key, by which rows of a table are replaced: leave it out, or use mode=append",
			t.Stream)
	}
	for _, path := range stream.GetPrimaryKey() {
		t.add(path, kindOf(schemaAt(stream.GetJsonSchema(), path)))
	}
	t.Keys = len(t.Columns)
	properties := stream.GetJsonSchema().GetFields()["properties"].GetStructValue().GetFields()
	names := make([]string, 0, len(properties))
	for name := range properties {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t.add(name, kindOf(properties[name].GetStructValue()))
	}
	if field := stream.GetParentField(); field != "" && !strings.Contains(field, ".") {
		t.add(field, kindOf(schemaAt(stream.GetJsonSchema(), field))) // unless the schema names it, as it should
		t.Parent = t.find(SafeName(field))
	}
	t.index()
	return t, nil
}

// add appends a column, unless the table has it.
func (t *Table) add(path string, kind Kind) {
	if t.find(SafeName(path)) < 0 {
		t.Columns = append(t.Columns, Column{path, SafeName(path), kind})
	}
}

func (t *Table) find(name string) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
}

// index records where the members of a record go.
func (t *Table) index() {
	t.member, t.nested = map[string]int{}, map[string][]int{}
	for i, c := range t.Columns {
		if top, _, below := strings.Cut(c.Path, "."); below && i < t.Keys {
			t.nested[top] = append(t.nested[top], i)
		} else {
			t.member[c.Path] = i
		}
	}
}

// Meet adapts the table to the one in the database, which has these columns, excluding those of [Options.Own]. It returns the
// required changes: which columns to add and which to widen.
//
// Columns that syncs made and the schema names no longer stay, and stay filled. All others are the user's, and are not
// written to, whatever they hold and whatever their type; if one has the name that a field of the stream asks for, the
// field has no column: its values are in _extra, and taken names it. Was is what is known about the table. If it is
// nil, every column that the schema names counts as created by syncs.
//
// Rounds reports whether a column of integers has one that a float64 would round: it becomes text then.
func (t *Table) Meet(have []Column, was *Identity, rounds func(column string) (bool, error)) (add, widen []Column, taken []string, err error) {
	inDatabase := map[string]bool{}
	for _, c := range have {
		inDatabase[c.Name] = true
		i := t.find(c.Name)
		made := was != nil && slices.Contains(was.Columns, c.Name)
		switch {
		case i < 0 && made:
			t.Columns = append(t.Columns, Column{c.Name, c.Name, c.Kind})
			continue
		case i < 0:
			continue
		case was != nil && !made && i >= t.Keys && i != t.Parent:
			taken = append(taken, t.Columns[i].Path)
			t.Columns = slices.Delete(t.Columns, i, i+1)
			if t.Parent > i {
				t.Parent--
			}
			continue
		}
		kind := Wider(c.Kind, t.Columns[i].Kind)
		if c.Kind == Integer && kind == Real {
			rounded, err := rounds(c.Name)
			if err != nil {
				return nil, nil, nil, err
			}
			if rounded {
				kind = Text
			}
		}
		t.Columns[i].Kind = kind
		if kind != c.Kind {
			widen = append(widen, t.Columns[i])
		}
	}
	for _, c := range t.Columns {
		if !inDatabase[c.Name] {
			add = append(add, c)
		}
	}
	t.index()
	return add, widen, taken, nil
}

// Taken is the notice about a field that has no column because the user's own has its name.
func Taken(table, field string) string {
	return fmt.Sprintf("Column %s of table %s was not made by a sync, so it is left alone, and the field %s is in _extra. "+
		"To have the field in a column, rename yours.", SafeName(field), table, field)
}

// Names returns the names of the columns.
func (t *Table) Names() []string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return names
}

// PrimaryKey returns the names of the columns that identify a row. The account is last, so that keys alone use its index,
// too.
func (t *Table) PrimaryKey() []string { return append(t.Names()[:t.Keys:t.Keys], Account) }

// Create returns the statement that creates the table, under a name that is quoted already. The databases differ in how the
// column of arrival is declared, in the types of columns, and in the columns of the destination's own.
func (t *Table) Create(name string, opts Options, arrival string, kind func(Kind) string, own func(name string) string) string {
	var columns []string
	if opts.Append {
		columns = append(columns, arrival)
	}
	for i, c := range t.Columns {
		column := Quote(c.Name) + " " + kind(c.Kind)
		if i < t.Keys {
			column += " NOT NULL"
		}
		columns = append(columns, column)
	}
	for _, name := range opts.Own() {
		columns = append(columns, own(name))
	}
	if !opts.Append {
		columns = append(columns, "PRIMARY KEY ("+QuoteAll(t.PrimaryKey())+")")
	}
	return fmt.Sprintf("CREATE TABLE %s (\n\t%s\n)", name, strings.Join(columns, ",\n\t"))
}

// KeyIndex returns the name of an index on the primary key where that is not one already.
func (t *Table) KeyIndex() string { return SafeName(t.Name + " versions") }

// ParentIndex returns the name and the columns of an index that finds the rows of one parent; no columns if the table has no
// parent, or a primary key that begins with it.
func (t *Table) ParentIndex(opts Options) (name string, columns []string) {
	if t.Parent < 0 || t.Parent == 0 && t.Keys > 0 && !opts.Append {
		return "", nil
	}
	parent := t.Columns[t.Parent].Name
	return SafeName(t.Name + " by " + parent), []string{parent, Account}
}
