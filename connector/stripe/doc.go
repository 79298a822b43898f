// Package stripe is the source of Stripe accounts: a [connector.Source] that only ever reads.
//
// The life of a Read, and the package of each step, from the first to the last:
//
//	config     the configuration is parsed, every wrong field named
//	table      the ONE table of streams
//	state      the states of the request are parsed: where an earlier Read left off
//	plan       the selected streams are grouped into parts: one endpoint, one chain of pages, all who live on it
//	selected   what the Read knows of each stream: its phase, its cursors
//	heal       what earlier Reads set aside is tried again
//	backfill   workers page through windows of creation time, and halve those of others when they have nothing to do
//	family     a page becomes the records of its stream and of all streams below it
//	changes    one sweep of the events applies what changed
//	reconcile  a re-listed range is compared with what events said
//
// This package ties them together (read.go, rounds.go), and answers Spec, Check and Discover. Records, states, statuses,
// heartbeats and the summary leave through connector/emit. Requests leave through api, which keeps to Stripe's limits. Imports
// go down this list only.
package stripe
