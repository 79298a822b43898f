// Command stripe-connector-service is stripe-connector without databases: the program of the container image. Each node of
// a cluster pulls it, and the drivers for databases would make it half as large again.
package main

import (
	"os"

	"github.com/stripe-connector/stripe-connector/client/destination"
	"github.com/stripe-connector/stripe-connector/client/destination/jsonl"
	"github.com/stripe-connector/stripe-connector/internal/cli"
)

func main() {
	os.Exit(cli.Main(cli.Build{Destinations: destination.Kinds{jsonl.Kind()}}))
}
