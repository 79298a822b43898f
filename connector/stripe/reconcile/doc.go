// Package reconcile finds and repairs changes that events missed. It re-lists a range of creation times, compares the objects with
// the events of that time, and sends those that differ.
//
// First it reads the events into a map for each root. For the hash of each object's id, the map holds the time of the newest event
// and a fingerprint of that event's object. Then it lists the objects created in the range and compares them with the map. An
// object that differs is sent as listed, with the children that follow it. An object that events announced, but that is not
// listed and can't be retrieved, is deleted with all its descendants. Objects with events since the last sweep are left to the
// next sweep.
package reconcile
