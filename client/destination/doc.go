// Package destination opens destinations by name, such as "sqlite:stripe.db".
//
// A destination is anything that fulfills the contract of [client.Destination]. To add a kind, write a package beside the
// others with a function Kind, test it with package destinationtest, and add it to the list in package all.
//
// A program supports the kinds that it lists:
//
//	kinds := destination.Kinds{jsonl.Kind()} // or all.Kinds()
//	d, err := kinds.Open(ctx, "jsonl:folder")
package destination
