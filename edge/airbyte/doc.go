// Package airbyte runs a [connector.Source] as an Airbyte source connector: the commands spec, check, discover and read, with
// one message of the Airbyte protocol per line on stdout.
//
// It knows no particular source. What users of an existing connector rely on (stream names, configuration, columns, states)
// comes from a [Dialect] and a table of [Stream] values.
//
// # States
//
// The state of a stream is one JSON object for two readers:
//
//	{"updated": "1764300000", "stripe_connector": {"until": 1764300000, "newest": 1764300600, "state": {…}}}
//
// The member [ownMember] is this connector's own. The other members are those of the connector that this one replaces, so
// that both can resume from the state. If the other members have changed since the own member was written, the other
// connector has run in between, and its position takes precedence.
//
// # Order
//
// Each stream is STARTED, then RUNNING, then COMPLETE or INCOMPLETE, with at least one state before that. A destination keeps
// the row with the greatest cursor and, among equals, the one emitted last. So the cursor of a row never decreases from one
// version to the next, and no two versions of a row are emitted in the same millisecond.
package airbyte
