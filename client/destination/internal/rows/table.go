package rows

import (
	"fmt"
	"slices"
	"strings"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Column is a column for a field of the record.
type Column struct {
	Path string // of the field; dotted for a key below the top level
	Name string // in the database
	Kind Kind
}

// Table is the table of one stream.
type Table struct {
	Stream  string
	Name    string
	Columns []Column // keys first
	Keys    int      // the number of keys
	Parent  int      // the index of the column of the stream's parent_field, which OPERATION_DELETE_MATCHING matches, or -1

	member map[string]int   // maps a top-level member to its column
	nested map[string][]int // maps a top-level member to the key columns below it
}

// LayOut returns the table for a stream's schema.
func LayOut(stream *connectorv1.Stream, opts Options) (*Table, error) {
	t := &Table{Stream: stream.GetName(), Name: SafeName(stream.GetName()), Parent: -1}
	if len(stream.GetPrimaryKey()) == 0 && !opts.Append {
		return nil, fmt.Errorf("stream %s has no primary key, which is needed to replace rows: exclude the stream, or use mode=append",
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
		t.add(field, kindOf(schemaAt(stream.GetJsonSchema(), field))) // usually the schema has added it already
		t.Parent = t.find(SafeName(field))
	}
	t.index()
	return t, nil
}

// add appends a column unless the table already has it.
func (t *Table) add(path string, kind Kind) {
	if t.find(SafeName(path)) < 0 {
		t.Columns = append(t.Columns, Column{path, SafeName(path), kind})
	}
}

func (t *Table) find(name string) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
}

// index records which columns the members of a record go to.
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

// Adapt adapts the table to the one in the database, whose columns are have, excluding those of [Options.OwnColumns]. It returns
// the columns to add and those to widen.
//
// Columns that syncs created but the schema no longer defines stay, and are still filled. All other columns are the user's
// and are never written to, whatever their content and type. If the user's column has the name of a field of the stream,
// the field gets no column: its values go to _extra, and taken includes its name. Was is what is known about the table. If
// it is nil, every column that the schema defines counts as created by syncs.
//
// Rounds reports whether an integer column holds a value that a float64 would round. Such a column is widened to text
// instead.
func (t *Table) Adapt(have []Column, was *Identity, rounds func(column string) (bool, error)) (add, widen []Column, taken []string, err error) {
	inDatabase := map[string]bool{}
	for _, c := range have {
		inDatabase[c.Name] = true
		i := t.find(c.Name)
		made := was != nil && slices.Contains(was.Columns, c.Name)
		switch {
		case i < 0 && made && c.Kind != 0: // and of a type that can be filled
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

// TakenNotice returns the notice about a field without a column because the user has a column of that name.
func TakenNotice(table, field string) string {
	return fmt.Sprintf("Column %s of table %s was not created by a sync, so syncs never write to it, and the values of field %s go to _extra. "+
		"To give the field its own column, rename yours.", SafeName(field), table, field)
}

// Names returns the column names.
func (t *Table) Names() []string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return names
}

// PrimaryKey returns the names of the columns that identify a row. The account comes last, so that queries by key alone
// can use the index.
func (t *Table) PrimaryKey() []string { return append(t.Names()[:t.Keys:t.Keys], Account) }

// Create returns the statement that creates the table. Its name must be quoted already. What differs between databases is
// passed in: the declaration of the arrival column, the column types, and the declarations of the sync's own columns.
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
	for _, name := range opts.OwnColumns() {
		columns = append(columns, own(name))
	}
	if !opts.Append {
		columns = append(columns, "PRIMARY KEY ("+QuoteAll(t.PrimaryKey())+")")
	}
	return fmt.Sprintf("CREATE TABLE %s (\n\t%s\n)", name, strings.Join(columns, ",\n\t"))
}

// KeyIndex returns the name of the index on the keys where they aren't the primary key, as in append mode.
func (t *Table) KeyIndex() string { return SafeName(t.Name + " versions") }

// ParentIndex returns the name and columns of the index that finds the rows of a parent. Columns is empty if the table has
// no parent or its primary key already begins with the parent.
func (t *Table) ParentIndex(opts Options) (name string, columns []string) {
	if t.Parent < 0 || t.Parent == 0 && t.Keys > 0 && !opts.Append {
		return "", nil
	}
	parent := t.Columns[t.Parent].Name
	return SafeName(t.Name + " by " + parent), []string{parent, Account}
}
