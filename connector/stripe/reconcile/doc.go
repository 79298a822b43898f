// Package reconcile finds out what events missed: it re-lists a range of creation times, compares it with what the events of
// that time say, and sends what differs.
//
// The events are folded, page by page, into a map of each root: by a hash of the id, the second of the newest event and a
// fingerprint of its object. Then the objects created in the range are listed and compared with it. What differs is sent as it
// was listed, with what follows it. What events announce and is neither listed nor there by id is deleted, with what is below
// it. Before anything counts as a difference, the events since the sweep are looked through for it: what they name is left to
// the next sweep.
package reconcile
