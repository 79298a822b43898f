// Command stripe-connector-temporal runs the pipelines of a pipeline file on Temporal.
//
// Run it with --help. See docs/temporal.md.
package main

import (
	"os"
	_ "time/tzdata" // schedules name time zones, and not every machine has them

	"github.com/stripe-connector/stripe-connector/orchestrate/temporal/internal/command"
)

func main() { os.Exit(command.Main(os.Getenv)) }
