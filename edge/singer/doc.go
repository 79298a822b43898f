// Package singer serves a connector.Source as a Singer tap: it reads the files that Singer's runners pass, and writes SCHEMA,
// RECORD and STATE messages to stdout, and logs and metrics to stderr.
//
// The package knows neither Stripe nor its tap. What users of an existing tap rely on comes from a [Tap] and its [Stream]s: names,
// keys, columns, and the state to continue from.
//
// See https://github.com/singer-io/getting-started/blob/master/docs/SPEC.md.
package singer
