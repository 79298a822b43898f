//go:build service

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stripe-connector/stripe-connector/client/destination"
)

const rootExample = `  stripe-connector serve --listen 127.0.0.1:50051
  STRIPE_API_KEY=rk_live_… stripe-connector check
  stripe-connector sync --config config.json --to jsonl:lines`

// withoutDatabases is what help says.
const withoutDatabases = `

This build is that of the image: it has no SQLite and no PostgreSQL, so no init, run, runs, logs, report and demo. The full
one: go install github.com/stripe-connector/stripe-connector/cmd/stripe-connector@latest`

// databaseCommands gives the commands that need a database: here they only say where they are to be had, whatever the flags.
func (a *app) databaseCommands() []*cobra.Command {
	var commands []*cobra.Command
	for _, name := range []string{"init", "run", "runs", "logs", "report", "demo"} {
		commands = append(commands, &cobra.Command{
			Use:                name,
			Hidden:             true,
			DisableFlagParsing: true,
			RunE: func(*cobra.Command, []string) error {
				return fmt.Errorf("there is no command %s: %w", name, destination.ErrNoDatabases)
			},
		})
	}
	return commands
}
