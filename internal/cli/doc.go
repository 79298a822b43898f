// Package cli is the command line of stripe-connector, a file for each command.
//
// The programs in cmd say what is linked in, in a [Build]: which destinations there are, and whether there are the commands
// that need a database.
package cli
