// Package selected tracks the streams that a request selects: how each is read, which phase it is in, and how far it has
// been read.
//
// Planning fills in a [Stream]. The steps of the Read move its cursors, only inside commits of package emit, and
// [Stream.Checkpoint] makes states from those cursors. A stream belongs to one step at a time, as its [Phase] says.
package selected
