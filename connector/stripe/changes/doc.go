// Package changes finds out what changed, from Stripe's events, and sends it.
//
// One sweep of /v1/events serves all streams whose changes events announce. It works its way from the oldest events to the
// newest, stretch by stretch, with a state after each (sweep.go). An event is about one or more subjects (target.go): an object
// of a root with the children that follow it, an object below a parent, all children of a parent, or a part of a list. The
// events of a stretch that are about one subject are a change, of which the newest count (change.go). A change is applied from
// the event's payload, if that is complete and certain to be the newest, or by reading the subject again (apply.go).
//
// Events can become visible late, and lists can lag behind events. Each sweep begins some way before the end of the last one,
// and what was applied there is remembered (seen.go).
package changes
