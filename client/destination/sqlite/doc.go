// Package sqlite is a destination: a SQLite database in one file, written without cgo, with a table for each stream.
//
// A table has a column for each property of the stream's schema: INTEGER, REAL, BOOLEAN (0 or 1) or TEXT, in which nested
// values are JSON. Instants stay as the source sends them, at Stripe seconds since 1970. More columns are ours:
//
//	_account     the account that the row belongs to, empty for the key's own; part of the primary key
//	_generation  the generation in which the row came last: it grows when a stream is re-read from the beginning
//	_as_of       when the source said so, in UTC: the object was at least this new
//	_event_id    the event that caused this version; NULL if the object was listed
//	_extra       a JSON object of what has no column: fields that the schema does not name, and values of another type
//	             than their column's. NULL if there are none
//	_synced_at   when the row was stored, in UTC
//	_deleted_at  with soft deletes: since when the source has the object no more; NULL if it has it
//	_arrival     in append mode: a number that grows with each version that came; the primary key
//	_operation   in append mode: UPSERT, or DELETE of an object that the source has no more, with the key alone
//
// An OPERATION_DELETE_MATCHING removes or marks the rows of one parent, which an index finds; those that follow are there
// again. In append mode it adds a DELETE for each object of the parent that did not come back in the same commit, so that
// only the objects that are gone get one.
//
// So nothing that the source sends is lost. When a schema grows, columns are added, and what _extra held of them moves
// there; a column whose type becomes wider is replaced. Names of tables and columns are those of the source as long as
// they are lower-case letters, digits and underscores; others are made so, with letters of their hash at the end.
//
// A table is known by an ID in a comment of its declaration, so that one that was dropped, replaced or emptied is noticed, and
// so is a column that is gone: the stream is read again from the beginning. A sync never writes to a column that it didn't create. A
// record that the table refuses is in the table _stripe_connector_refused, and is retried at each Begin. In append mode,
// a version that is the same as the one before it is not kept.
//
// Rows and states are stored in the same transaction; the states are in the table _stripe_connector_state. What was read
// to its end in a later generation loses the rows of older ones, in the transaction that says so. A file takes one sync at
// a time; it can be read meanwhile.
package sqlite
