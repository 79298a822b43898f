// Package selected holds what a Read knows of each stream that the request selects: how it is read, in which phase of the Read
// it is, and how far it has come.
//
// Planning fills it in, the steps of the Read move its cursors inside emit's commits, and states are made from those cursors
// alone ([Stream.Checkpoint]). A stream belongs to one step at a time, which its [Phase] says.
package selected
