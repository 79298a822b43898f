// Package changes finds out what changed, from Stripe's events, and sends it.
//
// One sweep of /v1/events serves all streams whose changes events announce. It works its way from the oldest events to the
// newest, stretch by stretch, with a state after each (sweep.go). An event is about one or more subjects (target.go): an object
// of a root with the children that follow it, an object below a parent, all children of a parent, or a part of a list. The
// events of a stretch that are about one subject are a change, of which the newest count (change.go). A change is applied from
// the event's payload, if that is complete and certain to be the newest, or by reading the subject again (apply.go).
//
// Events can become visible late, and lists and objects can lag behind events. What was applied is remembered in a ledger, which
// also says when to look at the near past again; a change that can't be seen yet stays open until it can, or until the overlap
// is over (await.go).
package changes
