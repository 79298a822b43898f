package rows

import (
	"crypto/rand"
	"fmt"
	"slices"
)

// TablesTable is the name of the table of identities. It has one row per stream.
const TablesTable = "_stripe_connector_tables"

// Identity ties the states of a stream to the table they were stored with. It is stored beside the states. Its ID is also
// stored in the table itself, so that it disappears with the table: SQLite keeps it in the table's declaration, PostgreSQL
// in the table's comment. Begin compares the two with [Identity.Lost].
type Identity struct {
	// ID is random. It is empty for a table created by a version that had no identities.
	ID string
	// Columns are the columns that syncs created, including the sync's own, in the database's order. Any other column is the
	// user's and is never written to.
	Columns []string
	// Filled reports whether the table had rows after the last commit.
	Filled bool
}

// NewID returns an ID for a new table.
func NewID() string { return rand.Text() }

// LossReason compares the table that the identity describes with the one now in the database. It returns a sentence that says what
// happened to the table, or "" if it is still the same one. Missing reports that there is no such table.
func (i Identity) LossReason(table string, now Identity, missing bool) string {
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
		if kept[at] != i.Columns[at] { // databases append new columns at the end
			return fmt.Sprintf("Column %s of table %s is not the one that earlier syncs filled: something else dropped and re-added it.",
				i.Columns[at], table)
		}
	}
	return ""
}

// RereadNotice is appended to the sentence of LossReason in a notice.
const RereadNotice = " The stream will be re-read from the beginning."
