// Package sqlite is a destination: a SQLite database in one file, with a table for each stream. It doesn't use cgo.
//
// A table has a column for each property of the stream's schema: INTEGER, REAL, BOOLEAN (0 or 1) or TEXT. Nested values
// are JSON in TEXT columns. Times are stored as the source sends them, for Stripe in seconds since 1970. Each table also
// has these columns:
//
//	_account     the account that the row belongs to, empty for the key's own; part of the primary key
//	_generation  the generation in which the row was last received: it grows when a stream is re-read from the beginning
//	_as_of       the UTC time of which this is the state: the object is at least this new
//	_event_id    the event that caused this version; NULL if the object was listed
//	_extra       a JSON object of values without a column: fields that are not in the schema, and values of another type
//	             than their column's. NULL if there are none
//	_synced_at   when the row was stored, in UTC
//	_deleted_at  with soft deletes: when the object was deleted at the source; NULL if it exists
//	_arrival     in append mode: a number that grows with each version received; the primary key
//	_operation   in append mode: UPSERT, or DELETE of an object that was deleted at the source, with only the key
//
// An OPERATION_DELETE_MATCHING removes or marks the rows of one parent, which are found through an index. Rows that follow
// are stored again. In append mode it adds a DELETE for each object of the parent that isn't sent again in the same
// commit, so only deleted objects get one.
//
// Nothing that the source sends is lost. When a schema grows, columns are added and filled from _extra. A column whose
// type becomes wider is replaced. Tables and columns have the names of the source if these consist of lower-case letters,
// digits and underscores. Other names are converted and get a suffix from their hash.
//
// A table is identified by an ID in a comment of its declaration. If a table was dropped, replaced or truncated, or lost a
// column, the stream is re-read from the beginning. A sync never writes to a column that it didn't create. Records that a
// table rejects are stored in the table _stripe_connector_refused and retried at each Begin. In append mode, a version
// equal to the previous one is not stored.
//
// Rows and states are stored in the same transaction. The states are in the table _stripe_connector_state. When a stream
// has been read to its end in a new generation, the rows of older generations are removed in the transaction that records
// this. A file can be used by one sync at a time, and can be read during a sync.
package sqlite
