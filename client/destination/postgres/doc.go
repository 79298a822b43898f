// Package postgres is a destination: a schema of a PostgreSQL database, with a table for each stream.
//
// The tables are those of package sqlite, with PostgreSQL's types: bigint, double precision, boolean, text, and jsonb for
// nested values; instants that are ours are timestamptz. What jsonb and text cannot hold (NUL, halves of surrogate pairs)
// is in _extra, which is of type json for that reason.
//
// Records are copied into a temporary table with COPY and merged from there with one INSERT … ON CONFLICT, which is several
// times faster than inserting rows; the benchmarks of this package say how much. Rows, states and removals of a commit
// are one transaction, and the states are in the table _stripe_connector_state of the same schema. An advisory lock keeps a
// second sync out of a schema.
//
// A record that the database or something of the user's rejects is set aside in _stripe_connector_refused. A lost connection, a
// lock that someone else holds and a table that was dropped are interruptions, after which Begin restores what is needed.
//
// Keep the password out of the address: like psql, this package reads it from PGPASSWORD or the file ~/.pgpass. A password in
// the address never appears in an error.
package postgres
