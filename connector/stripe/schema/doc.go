// Package schema provides the JSON Schemas of the Stripe objects that list endpoints return, and the relations between them:
// the fields that hold the ids of other objects.
//
// The schemas are generated from Stripe's OpenAPI documents (https://github.com/stripe/openapi), which package openapi holds. No
// one maintains them by hand. Each document makes an [Edition], for the API versions with its shapes. Five object types that
// stripe-go v76.25.0 has and the older documents lack are described in the generator's supplement.json. The output is committed,
// one property per line, so the changes made by a new document can be reviewed. A schema that is the same in two editions is
// stored once:
//
//	go generate ./connector/stripe/schema          writes objects/*/*.json, relations/*/*.txt and schemas.json.zst
//	go test ./connector/stripe/schema/...          checks them against the document and Stripe's own examples
//	go test -bench . ./connector/stripe/schema     measures the cost of reading them
//
// Only the output is embedded here, compressed, in schemas.json.zst. The documents are used only by the generator and the
// tests. Nothing is decoded until it is looked up.
//
// # What a schema promises
//
// A schema describes what is known, not what is allowed. Stripe adds properties and values without a new API version
// (https://docs.stripe.com/upgrades#what-changes-does-stripe-consider-to-be-backward-compatible), and a Read may select
// fields. Therefore no object is closed, known values are only examples, and only the id is required. If the document itself
// does not require the id, as for an invoice, nothing is. The type of every property can be read without following a
// reference: there is no $ref, $defs or anyOf.
//
//   - type is a name, or an array of names if there are several: ["string","null"] may be null.
//
//   - format is "unix-time" (an integer, seconds since 1970) or "decimal" (a string).
//
//   - const is the fixed value of an object property, such as "charge".
//
//   - examples holds known values, at most twelve of them.
//
//   - x-expandable names the object types of a field that holds an id, or the whole object if expanded. Its type is
//     ["string","object"].
//
//   - x-references names the object type of a field that holds an id and cannot be expanded.
//
//   - x-object names the object types of an embedded object that has its own schema. Its properties are not repeated; Lookup
//     returns them.
//
//   - x-optional is true if a property may be absent, not only null, because it belongs to one variant of the object or is
//     present only when expanded. See below.
//
//   - x-includable is present if a property is absent unless expanded. Its value says when a Read asks for the property:
//     "by default"; "on request", if a selection of fields names it; or "by name", which is the same but for personal data
//     that no pattern should select. Secrets that are present only on request are not in the schema.
//
// Embedded lists keep their structure: object ("list"), data, has_more and url.
//
// The document marks no nullable property as required, so it does not distinguish "null" from "absent". Here, a property is
// optional if the document does not require it and one of these holds: it cannot be null; it is an embedded list; or it is
// missing from Stripe's own example of the object.
package schema
