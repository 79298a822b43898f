// Package connector is the contract between a source of data and whatever carries its records away, in Go.
//
// A [Source] answers four questions: which configuration it takes (Spec), whether a configuration works (Check), which
// streams there are (Discover), and what is in them (Read). Read sends [Message] values into a [Sink]: batches of
// records, states to resume from, statuses, heartbeats, logs, and at the end a summary. The package knows neither gRPC
// nor any particular source, and imports the standard library only.
//
// # The invariant
//
// A state is sent only after every record that it covers. Whoever stores each state together with the records before
// it, and resumes from the last one stored, loses nothing; records may come again, and applying them again by primary
// key in the order received gives the same rows.
//
// Ordering: within one stream, a later record for a key is at least as new as an earlier one.
//
// # Errors
//
// Whatever a Source reports is a [Failure] or a context's error. A Failure says who can mend it ([Class]), in words for
// the user, and whether trying again helps.
//
// # Calls
//
// The methods of a Source may run at once. A Read whose context ends returns promptly, with the context's error. A Read
// that has returned leaves no goroutine behind. A panic in a goroutine of a source ends that Read alone, with a Failure of
// class System that has the stack in Internal and never in Message. A panic of the sink ends the Read as well.
//
// Package connectortest tests what this package promises, for any source.
package connector
