package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stripe-connector/stripe-connector/client/destination"
)

// Databases returns the commands that need a driver for SQLite, which the program must import.
func Databases(a *app) []*cobra.Command {
	return []*cobra.Command{a.initialize(), a.runPipelines(), a.runs(), a.status(), a.logs(), a.loadingReport(), a.demo()}
}

// theFullBuild is where the rest can be had.
const theFullBuild = "the full one has it: go install github.com/stripe-connector/stripe-connector/cmd/stripe-connector@latest"

// withoutDatabases is what help says of a program without databases.
const withoutDatabases = `

This build is for services: it has no databases, and no init, run, runs, status, logs, report and demo. The full build:
go install github.com/stripe-connector/stripe-connector/cmd/stripe-connector@latest`

// databases returns the commands that need a database. If the program was built without, they are hidden and say where they
// can be had, whatever the flags.
func (a *app) databases() []*cobra.Command {
	if a.build.Databases != nil {
		return a.build.Databases(a)
	}
	var commands []*cobra.Command
	for _, name := range []string{"init", "run", "runs", "status", "logs", "report", "demo"} {
		commands = append(commands, &cobra.Command{
			Use:                name,
			Hidden:             true,
			DisableFlagParsing: true,
			RunE: func(*cobra.Command, []string) error {
				return fmt.Errorf("this build has no command %s: %s", name, theFullBuild)
			},
		})
	}
	return commands
}

// note is what help says about what this build lacks.
func (a *app) note() string {
	if a.build.Databases == nil {
		return withoutDatabases
	}
	return ""
}

// missing adds to the error of a kind of destination that this build lacks where it can be had.
func (a *app) missing(err error) error {
	if _, ok := errors.AsType[*destination.UnknownKindError](err); ok && a.build.Databases == nil {
		return fmt.Errorf("%w; if this build lacks it, %s", err, theFullBuild)
	}
	return err
}
