// Package pipeline runs syncs on a schedule. A pipeline file says which accounts to sync, into which destinations,
// and how often.
//
// [Parse] parses and validates the file. A [Runner] executes and logs the runs. It never runs a pipeline twice at the
// same time, even if several processes on a machine use the same file.
package pipeline
