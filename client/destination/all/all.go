// Package all lists every kind of destination in this module. Importing it links all their drivers, about a third of a
// program's size. A program that needs fewer kinds lists them in its own [destination.Kinds].
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
