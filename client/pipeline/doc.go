// Package pipeline runs syncs on a schedule. A pipeline file lists which account to sync into which destination, and how often.
// [Parse] reads the file strictly. A [Runner] executes and logs the runs, never two of the same pipeline at the same time, even
// across processes on a machine.
package pipeline
