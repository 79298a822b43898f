// Package conformance tests clients of the connector service, in any language.
//
// A client is a command that syncs once. Each scenario starts a simulated Stripe and a service on a loopback port, runs
// the command one or more times while something happens that a client must cope with, and compares the client's rows
// with those of a complete read.
package conformance
