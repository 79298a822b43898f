// Package stripe is the source of Stripe accounts: a [connector.Source] that only ever reads.
//
// The life of a Read, and the file of each step:
//
//	config.go    the configuration is parsed, every problem named
//	streams.go   the ONE table of streams
//	plan.go      the selected streams are grouped into passes: one endpoint, one chain of pages, all who live on it
//	state.go     where each pass goes on, read from the states of the request
//	schedule.go  workers take windows of creation time, and halve those of others when they have nothing to do
//	backfill.go  a worker pages through a window, newest first
//	family.go    a page becomes the records of its stream (harvest.go) and of all children below it
//	emit.go      records, then the states that cover them, then statuses go to the sink
//	report.go    heartbeats, and the summary at the end
//
// Nothing is decoded that need not be: an object leaves as the bytes that Stripe sent, compacted.
package stripe
