// Package runlog keeps the log of runs: what each run of a pipeline read and loaded, by stream, what it said, and how it
// ended. It is a SQLite file of its own, so that it is there whatever the destination is, and also when that cannot be
// reached. Its tables (runs, streams, entries) are plain, for those who like to ask in SQL.
//
// The program imports a database/sql driver with the name "sqlite", such as modernc.org/sqlite.
//
// Nothing in it is a secret or a customer's data.
package runlog
