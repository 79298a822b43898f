// Package all lists every kind of destination of this module. Importing it links their drivers, which are a third of a
// program; a program that needs fewer makes its own [destination.Kinds].
package all

import (
	"github.com/stripe-connector/stripe-connector/client/destination"
	"github.com/stripe-connector/stripe-connector/client/destination/jsonl"
	"github.com/stripe-connector/stripe-connector/client/destination/postgres"
	"github.com/stripe-connector/stripe-connector/client/destination/sqlite"
)

// Kinds returns every kind of destination.
func Kinds() destination.Kinds {
	return destination.Kinds{sqlite.Kind(), postgres.Kind(), jsonl.Kind()}
}
