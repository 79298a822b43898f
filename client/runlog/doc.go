// Package runlog stores the history of pipeline runs: for each run, what it extracted and loaded per stream, its log
// messages, and how it ended. The log is a SQLite file of its own, so it works with any destination, including one that is
// unreachable. Its tables (runs, streams, entries) can be queried with plain SQL.
//
// The program must import a database/sql driver named "sqlite", such as modernc.org/sqlite.
//
// The log holds no secrets and no customer data.
package runlog
