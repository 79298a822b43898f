// Package table is the table of streams: what each stream is, how its endpoint is requested, and how its changes are found. It
// does no I/O.
//
// There is only one such table. Every peculiarity of a stream is a field of its row, a [Stream]; no other code tests a stream's
// name.
package table
