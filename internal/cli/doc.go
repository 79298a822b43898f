// Package cli is the command line of stripe-connector. Each command has its own file.
//
// The programs in cmd pass a [Build] to [Main]. It determines which destinations are linked in, and whether the commands
// that need a database are available.
package cli
