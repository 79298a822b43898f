// Package destination opens the destinations that come with the client, by a name such as "sqlite:stripe.db".
//
// A destination is anything that keeps the promise of [client.Destination]. To add one, write a package beside the others,
// prove it with package destinationtest, and give it a line in the table of [Open].
package destination
