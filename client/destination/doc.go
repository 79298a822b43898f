// Package destination opens destinations by name, such as "sqlite:stripe.db".
//
// A destination is anything that keeps the promise of [client.Destination]. To add one, write a package beside the others
// with a function Kind, prove it with package destinationtest, and add it to the list in package all.
//
// A program has the kinds that it imports:
//
//	kinds := destination.Kinds{jsonl.Kind()} // or all.Kinds()
//	d, err := kinds.Open(ctx, "jsonl:folder")
package destination
