package table

import (
	"slices"
	"strings"
)

// Held is a stream whose objects are also shown in a column of another stream's objects.
type Held struct {
	*Stream
	Ref string // the field that holds the id of the object with the column, in objects of events about the stream
}

// Held returns the streams that have events and whose objects are shown in expanded columns of s, such as the tax IDs of a
// customer. Their events announce changes of the column, too. Objects that are expanded in place of an id are not among them.
func (t Table) Held(s *Stream, columns []Expansion) []Held {
	var found []Held
	for i := range t {
		row := &t[i]
		if len(row.Events) == 0 {
			continue
		}
		if ref := t.heldBy(s, row, columns); ref != "" {
			found = append(found, Held{row, ref})
		}
	}
	return found
}

// heldBy returns Held.Ref if objects of row are shown in one of the columns of s, or else "".
func (t Table) heldBy(s, row *Stream, columns []Expansion) string {
	for _, column := range columns {
		last := column.Steps[len(column.Steps)-1]
		switch {
		case !last.Includes:
		case row.Parent == s.Name && row.Embedded == last.Path:
			return row.ParentRef()
		case row.Parent == "" && slices.Contains(t.Fields(s).objects(last.Path), row.Object):
			return s.Object
		}
	}
	return ""
}

// objects returns the types of the objects at a path, which may be a list or an array.
func (f Fields) objects(path string) []string {
	at := f.root
	for name := range strings.SplitSeq(path, ".") {
		at = at.Properties[name]
	}
	if data, isList := at.Properties["data"]; isList {
		at = data
	}
	if at.Items != nil {
		at = *at.Items
	}
	return at.Objects
}
