// Package state defines what one Read leaves behind for the next: how far each stream was read, as versioned JSON of a few
// hundred bytes that people can read. It parses and validates states and does no I/O.
package state
