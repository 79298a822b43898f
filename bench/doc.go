// Command bench compares this connector with two other ways to read the same data from a simulated Stripe, and holds the
// result against targets:
//
//	go run ./bench                                  # everything, some minutes
//	go run ./bench --quick                          # smaller data, one round
//	go run ./bench --only wire                      # one scenario
//	go run ./bench --markdown docs/benchmarks.md    # also write the document
//
// The readers are ours (the service in one process, a client that drains and counts in another), the floor (GET the same
// pages with net/http and throw the bodies away) and the afternoon solution (stripe-go's typed iterators, json.Marshal of
// each object). Each runs in a process of its own, and so does the simulated Stripe, so that processor time and memory
// are theirs alone. Figures are ratios between processes of the same run: the machine, and what else it does, cancels out
// as far as it can.
//
// # How it is built
//
// The command starts itself again as `bench child MODE`, one mode for each kind of process (modes.go). A child takes
// commands as JSON on stdin, answers each on stdout, and ends when stdin does, so that none survives its parent. A
// scenario (scenarios.go) starts the children that it needs, has them work, and gives a section of the report: tables, and
// targets that are kept or missed.
package main
