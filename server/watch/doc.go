// Package watch provides a connector's Prometheus metrics, OpenTelemetry traces, health over HTTP, and profiles.
//
// A [Watch] observes the server (see [server.Observer]) and the source (see [connector.Observer]), neither of which depends
// on Prometheus or OpenTelemetry:
//
//	reads.go      metrics of Reads
//	requests.go   metrics of the source's upstream requests, and a span for each of them
//	pace.go       the source's current request rate, collected on each scrape
//	page.go       /metrics, /healthz, /readyz, and /debug/pprof
//	logs.go       trace and span ids in log lines
//
// The number of label values is bounded. Streams and endpoints come from the source's table. Accounts appear only as short
// hashes, at most 200 of them. No label contains a key or the id of an object. docs/observability.md lists the metrics, and
// a test compares it with the metrics served.
package watch
