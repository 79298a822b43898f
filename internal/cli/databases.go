package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stripe-connector/stripe-connector/client/destination"
)

// Databases returns the commands that need a SQLite driver. The program must import the driver.
func Databases(a *app) []*cobra.Command {
	return []*cobra.Command{a.initialize(), a.runPipelines(), a.runs(), a.status(), a.logs(), a.loadingReport(), a.demo()}
}

// fullBuildHint says how to install the build with databases.
const fullBuildHint = "install the full build: " + installFullBuild

const installFullBuild = "go install github.com/stripe-connector/stripe-connector/cmd/stripe-connector@latest"

// databaseCommands are the names of the commands that Databases returns.
var databaseCommands = []string{"init", "run", "runs", "status", "logs", "report", "demo"}

// databases returns the commands that need a database. In a build without databases, they are replaced by hidden
// commands that fail, whatever their flags, with an error that says how to install the full build.
func (a *app) databases() []*cobra.Command {
	if a.build.Databases != nil {
		return a.build.Databases(a)
	}
	var commands []*cobra.Command
	for _, name := range databaseCommands {
		commands = append(commands, &cobra.Command{
			Use:                name,
			Hidden:             true,
			DisableFlagParsing: true,
			RunE: func(*cobra.Command, []string) error {
				return fmt.Errorf("this build does not have the command %s: %s", name, fullBuildHint)
			},
		})
	}
	return commands
}

// buildNote returns the paragraph of help about what this build lacks, if anything.
func (a *app) buildNote() string {
	if a.build.Databases == nil {
		maximum, last := databaseCommands[:len(databaseCommands)-1], databaseCommands[len(databaseCommands)-1]
		return "\n\nThis build is for services. It doesn't support databases or the commands " + strings.Join(maximum, ", ") + " and " + last +
			". To install the full build:\n" + installFullBuild
	}
	return ""
}

// explainMissing adds to an unknown-kind error how to install the full build, if this build is not the full one.
func (a *app) explainMissing(err error) error {
	if _, ok := errors.AsType[*destination.UnknownKindError](err); ok && a.build.Databases == nil {
		return fmt.Errorf("%w; if this build lacks that kind, %s", err, fullBuildHint)
	}
	return err
}
