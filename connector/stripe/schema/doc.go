// Package schema has the JSON Schemas of the Stripe objects that list endpoints return, and the relations between them: which
// fields hold the ids of other objects.
//
// The schemas are generated from Stripe's OpenAPI document of API version 2023-10-16 (https://github.com/stripe/openapi),
// as the Go module stripe-mock v0.183.0 embeds it, so that no one maintains them by hand. Five object types that
// stripe-go v76.25.0 knows and the document does not are described in the generator's supplement.json. The output is
// committed, one property per line, so that a person can review what a new document changes:
//
//	go generate ./connector/stripe/schema          writes objects/*.json and relations/*.txt
//	go test ./connector/stripe/schema/...          checks them against the document and Stripe's own examples
//	go test -bench . ./connector/stripe/schema     says what reading them costs
//
// Only the output is embedded here, a few hundred kilobytes; the 14 MB of documents stay with the generator and the tests.
// Nothing is read before Lookup asks for it.
//
// # What a schema promises
//
// A schema says what is known, not what is allowed: Stripe adds properties and values without a new API version
// (https://docs.stripe.com/upgrades#what-changes-does-stripe-consider-to-be-backward-compatible), and a Read may select
// fields. So no object is closed, only the id is required (and where the document itself does not require it, as for an
// invoice, not even that), and known values are examples. Every property has a type that can be read without following
// a reference: there is no $ref, $defs or anyOf.
//
//   - type is a name, or an array of names where there are several: ["string","null"] may be null.
//
//   - format is "unix-time" (an integer, seconds since 1970) or "decimal" (a string).
//
//   - const is the fixed value of an object property, such as "charge".
//
//   - examples holds known values, at most twelve of them.
//
//   - x-expandable names the object types of a field that holds an id, or the whole object when it was expanded. Its type
//     is ["string","object"].
//
//   - x-references names the object type of a field that holds an id and cannot be expanded.
//
//   - x-object names the object types of an embedded object that has a schema of its own: Lookup returns its properties,
//     which are not repeated here.
//
//   - x-optional is true where a property may be absent, not only null: it belongs to one variant of the object, or comes
//     only when it is expanded. See below.
//
//   - x-includable is present where a property is absent unless it is expanded. Its value says when a Read asks for it:
//     "by default", or "on request" if a selection of fields names it, or "by name" likewise for personal data, which no
//     pattern is to select. Properties that hold secrets, and come only on request, are not in the schema.
//
// Embedded lists keep their shape of object ("list"), data, has_more and url.
//
// The document marks no nullable property as required, so that it cannot tell "null" from "absent". A property counts
// as optional here if the document does not require it and one of these holds: it cannot be null; it is an embedded list;
// it is missing from Stripe's own example of the object.
package schema
