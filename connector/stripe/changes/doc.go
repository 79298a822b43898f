// Package changes applies the changes that Stripe's events announce.
//
// One sweep of /v1/events serves all streams whose changes are announced by events. It reads stretches of time from the oldest to
// the newest, and a state can follow each of them (sweep.go). An event concerns one or more subjects (target.go): an object of a
// root with the children that follow it, an object below a parent, all children of a parent, or a part of a list. The events of
// a stretch that concern one subject form a change, of which only the newest events count (change.go). A change is applied from
// the event's payload, if that is complete and certainly the newest, or else by re-reading the subject (apply.go).
//
// Events can become visible late, and lists and objects can lag behind events. A ledger remembers which events were applied and
// decides when to re-list the near past. A change that isn't visible yet stays open until it is, or until the overlap is over
// (await.go). Events that Stripe can't return (unreadable.go) and events that aren't as documented (odd.go) are reported and skipped.
package changes
