// Command stripe-connector replicates Stripe accounts: as a gRPC service for an orchestrator, or by itself into a database.
//
// Run it with --help. Every command has examples there.
package main

import (
	"os"
	_ "time/tzdata" // schedules name time zones, and not every machine has them

	"github.com/stripe-connector/stripe-connector/client/destination/all"
	"github.com/stripe-connector/stripe-connector/internal/cli"
)

func main() {
	os.Exit(cli.Main(cli.Build{Destinations: all.Kinds(), Databases: cli.Databases}))
}
