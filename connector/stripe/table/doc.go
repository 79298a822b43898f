// Package table is the ONE table of streams: what each stream is, how its endpoint is asked, and how its changes come. It does
// no I/O.
//
// A peculiarity of a stream is a column of its row ([Stream]), never an if on its name elsewhere.
package table
