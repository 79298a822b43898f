// Package state is what a Read leaves behind for the next one: how far a stream was read, as versioned JSON of a few hundred
// bytes that people can read. It parses and validates states; it does no I/O.
package state
