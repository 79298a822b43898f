// Package postgres is a destination: a schema of a PostgreSQL database, with a table for each stream.
//
// The tables are those of package sqlite, with PostgreSQL's types: bigint, double precision, boolean, text, and jsonb for
// nested values. The connector's own times are timestamptz. Values that jsonb and text can't hold (NUL, unpaired
// surrogates) go to _extra, which is of type json for that reason.
//
// Records are merged with INSERT … SELECT unnest(…) ON CONFLICT, hundreds at a time and without waiting for each
// other, which needs neither a temporary table nor a round trip per statement. BenchmarkLoad compares that with COPY and
// with one INSERT per row. The rows, states and deletions of a commit are one transaction. The states are in the table
// _stripe_connector_state of the same schema. An advisory lock keeps other syncs out of the schema.
//
// A record that the database rejects, for example because of a user's trigger, is set aside in _stripe_connector_refused.
// A lost connection, another client's lock and a dropped table are interruptions, after which Begin restores what is
// needed.
//
// Keep the password out of the address: like psql, this package reads it from PGPASSWORD or the file ~/.pgpass. A password
// in the address never appears in an error.
package postgres
