package rows

import (
	"crypto/rand"
	"fmt"
	"slices"
)

// TablesTable is the name of the table of identities, one row for each stream.
const TablesTable = "_stripe_connector_tables"

// Identity ties the states of a stream to the table that they were stored with. It is stored beside the states, and its ID
// in the table itself as well, where it goes when the table goes: in SQLite in the table's declaration, in PostgreSQL in
// its comment. At each Begin, [Identity.Lost] compares the two.
type Identity struct {
	// ID is random. It is empty for a table that a version without identities made.
	ID string
	// Columns are those that syncs made, ours included, in the order in which the database has them. Any other column of the
	// table is the user's: it is never written to.
	Columns []string
	// Filled says that the table had rows after the last commit.
	Filled bool
}

// NewID returns the ID of a new table.
func NewID() string { return rand.Text() }

// Lost returns a sentence about what happened to a table, given what a database has now in place of the table that the
// identity describes, or "" if it is the same table. Missing says that there is no such table.
func (i Identity) Lost(table string, now Identity, missing bool) string {
	switch {
	case missing:
		return fmt.Sprintf("Table %s is gone: something else dropped or renamed it.", table)
	case now.ID != i.ID:
		return fmt.Sprintf("Table %s is not the one that earlier syncs filled: something else replaced it.", table)
	case i.Filled && !now.Filled:
		return fmt.Sprintf("Table %s is empty: something else removed its rows.", table)
	}
	for _, c := range i.Columns {
		if !slices.Contains(now.Columns, c) {
			return fmt.Sprintf("Column %s of table %s is gone: something else dropped it.", c, table)
		}
	}
	kept := slices.DeleteFunc(slices.Clone(now.Columns), func(c string) bool { return !slices.Contains(i.Columns, c) })
	for at := range kept {
		if kept[at] != i.Columns[at] { // a database adds columns at the end
			return fmt.Sprintf("Column %s of table %s is not the one that earlier syncs filled: something else dropped it and added it again.",
				i.Columns[at], table)
		}
	}
	return ""
}

// ReadAgain is what follows such a sentence in a notice.
const ReadAgain = " The stream is read again from the beginning."
