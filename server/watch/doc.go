// Package watch makes a connector observable: metrics for Prometheus, traces for OpenTelemetry, health over HTTP, and profiles.
//
// A [Watch] is told what happens by the server ([server.Observer]) and by the source ([connector.Observer]), neither of
// which knows Prometheus or OpenTelemetry:
//
//	reads.go      what Reads send and how they end
//	requests.go   what the source asks: counted, and a span for each request
//	pace.go       the rate of the source, asked for when the metrics are
//	page.go       /metrics, /healthz, /readyz and /debug/pprof
//	logs.go       the trace in each line of the log
//
// Labels have few values, whatever is read: streams and endpoints of the source's table, never an account, a key or an
// id. docs/observability.md lists the metrics, and a test compares it with what is served.
package watch
