// Package airbyte runs a [connector.Source] as an Airbyte source connector: the commands spec, check, discover and read, with
// one message of the Airbyte protocol per line on stdout.
//
// It knows no particular source. What an existing connector has taught its users to expect from one (stream names,
// configuration, columns, states) comes from a [Dialect] and from a table of names, [Stream].
//
// # States
//
// The state of a stream is one JSON object for two readers:
//
//	{"updated": "1764300000", "stripe_connector": {"until": 1764300000, "newest": 1764300600, "state": {…}}}
//
// The member [ownMember] is this connector's own. The other members are those of the connector that this one replaces, so
// that both can resume from the state. If they say something else than they did when the own member was written, the other
// connector has run since, and its position counts.
//
// # Order
//
// Each stream is STARTED, then RUNNING, then COMPLETE or INCOMPLETE, with at least one state before that. A destination keeps
// the row with the greatest cursor and, among equals, the one emitted last. So the cursor of a row never decreases from one
// version to the next, and no two versions of a row are emitted at the same millisecond.
package airbyte
