// Package client is what an orchestrator written in Go needs to use the connector service: typed calls of its four RPCs,
// errors that say who can mend them, and [Sync], which reads streams into a [Destination] and survives what can be
// survived.
//
// The service keeps nothing between calls. What makes a sync resumable is the destination, which stores the states of the
// streams in the same transaction as their rows; [Client.Sync] begins every Read from the states that it finds there.
//
// Importing the package sets gRPC's default buffer pool for the whole process; pool.go says why.
package client
