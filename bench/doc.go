// Command bench compares this connector with two other ways to read the same data from a simulated Stripe, and checks the
// results against targets:
//
//	go run ./bench                                  # everything, takes some minutes
//	go run ./bench --quick                          # smaller data, one round
//	go run ./bench --only wire                      # one scenario
//	go run ./bench --markdown docs/benchmarks.md    # also write the document
//
// The readers are:
//
//   - ours: the service in one process, and a client that counts and discards records in another
//   - the floor: GET the same pages with net/http and discard the bodies
//   - the afternoon solution: stripe-go's typed iterators, and json.Marshal for each object
//
// Each of them, and the simulated Stripe, runs in a process of its own, so that processor time and memory can be attributed.
// Figures are ratios between processes of the same run, which makes them as independent of the machine and its load as possible.
//
// # Design
//
// The command starts itself as `bench child MODE`, with a mode for each kind of process (modes.go). A child reads commands as
// JSON from stdin, writes answers to stdout, and exits at the end of stdin, so that no child survives its parent. A scenario
// (scenarios.go) starts the children that it needs, sends them commands, and returns a section of the report: tables, and
// targets that are reached or missed.
package main
