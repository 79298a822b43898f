package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/stripe-connector/stripe-connector/connector"
)

// Exit codes, as documented in rootHelp.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// app holds everything that the commands use of the process and its environment, so that tests can replace it.
type app struct {
	build          Build
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	terminal       bool                   // whether stderr is a terminal
	columns        func() int             // returns the terminal's width; nil if unknown
	hidden         func() (string, error) // reads a line from stdin without echo; nil if stdin is not a terminal
	source         func(allowedAPIBases []string, observer connector.Observer) connector.Source

	quiet, verbose bool // the flags of these names
}

// width returns the width of the terminal, or 80 if it is unknown or 20 or less.
func (a *app) width() int {
	if a.columns != nil {
		if n := a.columns(); n > 20 {
			return n
		}
	}
	return 80
}

// run runs the command line and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	began := false
	for _, cmd := range root.Commands() {
		for _, cmd := range append(cmd.Commands(), cmd) {
			if do := cmd.RunE; do != nil {
				cmd.RunE = func(cmd *cobra.Command, args []string) error {
					began = true
					return do(cmd, args)
				}
			}
		}
	}
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if !began {
		err = usageError{err, cmd.CommandPath()}
	}
	return a.explain(ctx, err)
}

const rootHelp = `stripe-connector replicates Stripe accounts: as a gRPC service for an orchestrator (serve), by itself into a database
or files (sync), or on schedules, with a log and reports (init, run, runs, logs, report).

Commands that read data call a running service if --target is set. Otherwise they run the service in their own process, and
call it over gRPC all the same.

Environment:
  STRIPE_API_KEY           the API key, if the configuration has none; no other configuration is required
  STRIPE_CONNECTOR_<FLAG>  any flag that is not on the command line, such as STRIPE_CONNECTOR_TARGET for --target or
                           STRIPE_CONNECTOR_ALLOW_API_BASE for --allow-api-base

Exit codes: 0 success, 1 failure, 2 invalid command line.`

// rootExample returns the examples for the commands in this build.
func (a *app) rootExample() string {
	if a.build.Databases == nil {
		return `  stripe-connector serve --listen 127.0.0.1:50051
  STRIPE_API_KEY=rk_live_… stripe-connector check
  stripe-connector sync --config config.json --to jsonl:lines`
	}
	return `  stripe-connector demo
  STRIPE_API_KEY=rk_live_… stripe-connector sync --to sqlite:stripe.db
  stripe-connector init && stripe-connector run
  stripe-connector serve --listen 127.0.0.1:50051`
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:               "stripe-connector",
		Short:             "Replicate Stripe accounts over gRPC",
		Long:              rootHelp + a.buildNote(),
		Example:           a.rootExample(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.flagsFromEnvironment(cmd) },
	}
	root.Version = buildVersion()
	root.SetVersionTemplate(versionLine())
	flags := root.PersistentFlags()
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "print only results and errors, no progress")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "print each event on a line of its own")
	root.MarkFlagsMutuallyExclusive("quiet", "verbose")
	root.AddCommand(a.databases()...)
	root.AddCommand(a.verify())
	root.AddCommand(a.serve(), a.airbyte(), a.singer(), a.spec(), a.check(), a.discover(), a.read(), a.sync(), a.reread(), a.reset(), a.destinations(), a.simulate(), a.conformance(), a.healthcheck(), a.versions(), a.version())
	return root
}
