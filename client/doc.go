// Package client is the Go client of the connector service. It has typed calls for the four RPCs, errors that say how to
// fix the cause, and [Client.Sync], which reads streams into a [Destination] and resumes after interruptions.
//
// The service stores nothing between calls. A sync can resume because the destination stores the state of each stream in
// the same transaction as the rows that it covers. [Client.Sync] starts every Read from the states stored there.
//
// Importing the package sets gRPC's default buffer pool for the whole process.
package client
