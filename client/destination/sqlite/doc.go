// Package sqlite is a destination: a SQLite database in one file, written without cgo, with a table for each stream.
//
// A table has a column for each property of the stream's schema: INTEGER, REAL, BOOLEAN (0 or 1) or TEXT, in which nested
// values are JSON. Instants stay as the source sends them, at Stripe seconds since 1970. Three more columns are ours:
//
//	_account  the account that the row belongs to, empty for the key's own; part of the primary key
//	_as_of    when the source said so, in UTC: the object was at least this new
//	_extra    a JSON object of what has no column: fields that the schema does not name, and values of another type
//	          than their column's. NULL if there are none
//
// So nothing that the source sends is lost. A property whose name cannot be a column's (two that differ only in case, or
// one of ours) has none. When the schema grows, columns are added, and what _extra held of them moves there.
//
// Rows and states are stored in the same transaction; the states are in the table _stripe_connector_state. A file takes
// one sync at a time; it can be read meanwhile.
package sqlite
