// Package connector defines the contract between a source of data and the code that carries its records away.
//
// A [Source] describes its configuration (Spec), tests one (Check), lists its streams (Discover) and reads them (Read).
// Read sends [Message] values to a [Sink]: batches of records, states to resume from, stream statuses, heartbeats and log
// entries. It ends by returning a [Summary]. The package knows neither gRPC nor any particular source, and imports only the
// standard library.
//
// # The invariant
//
// A state is sent only after every record that it covers. A caller that stores each state together with the records
// received before it, and resumes from the last state it stored, loses no data. Records may be sent again; applying them by
// primary key, in the order received, produces the same rows.
//
// Ordering: within one stream, a later record for a key is at least as new as an earlier one.
//
// # Errors
//
// Every error that a Source returns is a [Failure] or a context error. A Failure says who can fix the problem ([Class]),
// explains it to the user, and says whether a retry can help.
//
// # Concurrency
//
// A Source's methods may be called concurrently. When its context ends, Read returns promptly with the context's error.
// Once Read has returned, none of its goroutines is still running.
//
// A panic in a goroutine of the source ends only that Read, with a Failure of class System that has the stack in Internal
// and never in Message. So does a panic of the sink.
//
// Package connectortest tests any Source against this contract.
package connector
