// Package stripe implements a [connector.Source] for Stripe accounts. It only reads: it sends nothing but GET
// requests.
//
// The packages below it, each of which may import only those above it in this list:
//
//	config     parses the configuration and reports every invalid field
//	table      the table of streams, one row per stream
//	state      parses and validates states, which say how far earlier Reads got
//	selected   tracks each selected stream during a Read: its phase and its cursors
//	plan       groups the selected streams into parts, one for the streams that share a list endpoint
//	family     turns a page into records of its stream and of that stream's descendants
//	backfill   pages through windows of creation time; idle workers split the windows of busy ones
//	heal       retries the objects that earlier Reads set aside
//	changes    sweeps the events once and applies the changes of all streams
//	reconcile  re-lists a range and compares it with what the events reported
//
// This package ties them together (read.go, rounds.go) and implements Spec, Check and Discover. Messages to the
// caller go through connector/emit. Requests to Stripe go through api, which respects Stripe's rate limits.
package stripe
