// Command bench compares this connector with two other ways of reading the same data from a simulated Stripe, and
// checks the results against targets:
//
//	go run ./bench                                  # everything, takes some minutes
//	go run ./bench --quick                          # smaller data, one round
//	go run ./bench --only wire                      # one scenario
//	go run ./bench --markdown docs/benchmarks.md    # also write the document
//
// The readers are:
//
//   - ours: the service in one process, and a client in another that counts the records and discards them
//   - the floor: net/http requests the same pages and discards the bodies
//   - the afternoon solution: stripe-go's typed iterators, and json.Marshal for each object
//
// Each reader, and the simulated Stripe, runs in its own process, so that processor time and memory can be
// attributed. Figures are ratios between processes of the same run, which makes them as independent of the machine
// and its load as possible.
//
// # Design
//
// The command starts itself as `bench child MODE`, with a mode for each kind of process (modes.go). A child reads
// commands as JSON from stdin and writes answers to stdout. It exits at the end of stdin, so no child outlives its
// parent. A scenario (scenarios.go) starts the children it needs, sends them commands, and returns a section of the
// report: tables, and targets that were reached or missed.
package main
