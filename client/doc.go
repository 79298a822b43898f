// Package client is the Go client of the connector service. It has typed calls for the four RPCs, errors that say how to fix
// them, and [Client.Sync], which reads streams into a [Destination] and resumes after interruptions.
//
// The service keeps nothing between calls. Syncs are resumable because the destination stores the states of the streams in the
// same transaction as their rows; [Client.Sync] starts every Read from the states that it finds there.
//
// Importing the package sets gRPC's default buffer pool for the whole process.
package client
