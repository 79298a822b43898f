// Package command implements the commands of stripe-connector-temporal.
package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig" // the settings, and with them the security, of Temporal's own commands
	"go.temporal.io/sdk/log"

	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal/internal/apply"
)

const help = `stripe-connector-temporal runs the pipelines of a pipeline file on Temporal: a schedule and a workflow for each pipeline.

The Temporal service is configured as for Temporal's own commands: by the environment variables TEMPORAL_ADDRESS,
TEMPORAL_NAMESPACE, TEMPORAL_API_KEY and TEMPORAL_TLS_*, or by a profile in the file that TEMPORAL_CONFIG_FILE names.

Exit codes: 0 success, 1 failure, 2 invalid command line; see plan --help for those of plan --detailed-exitcode.`

// connection holds the flags of commands that call Temporal.
type connection struct {
	address, namespace, taskQueue string
	// metrics receives the metrics of the client. It may be nil.
	metrics client.MetricsHandler
}

// Main runs the process's command line and returns the exit code.
func Main(getenv func(string) string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // restore the default handling, so that a second signal kills the process
	root := Root(getenv)
	began := false
	for _, cmd := range root.Commands() {
		do := cmd.RunE
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			began = true
			return do(cmd, args)
		}
	}
	root.SetArgs(os.Args[1:])
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !began {
		words := strings.Join(strings.Fields(err.Error()), " ") // cobra's suggestions span several lines
		err = usageError{fmt.Errorf("%s. Try '%s --help'", words, cmd.CommandPath())}
	}
	code := exitCode(err, os.Args[1:])
	if err != nil && !errors.Is(err, errDifferences) {
		fmt.Fprintln(os.Stderr, "error:", err)
	}
	return code
}

// Root returns the command line. getenv returns the value of an environment variable that a pipeline file refers to.
func Root(getenv func(string) string) *cobra.Command {
	var c connection
	root := &cobra.Command{
		Use: "stripe-connector-temporal", Short: "Run pipelines on Temporal", Long: help,
		Example: `  stripe-connector-temporal apply pipelines.yaml
  stripe-connector-temporal worker pipelines.yaml --target connector.example.com:50051
  stripe-connector-temporal status acme
  stripe-connector-temporal reread acme charges 'invoice*'`,
		SilenceErrors: true, SilenceUsage: true,
	}
	flags := root.PersistentFlags()
	flags.StringVar(&c.address, "address", "", "`host:port` of the Temporal service (default: as configured, else 127.0.0.1:7233)")
	flags.StringVar(&c.namespace, "namespace", "", "`namespace` (default: as configured, else default)")
	flags.StringVar(&c.taskQueue, "task-queue", temporal.TaskQueue, "`name` of the task queue")
	root.AddCommand(c.plan(), c.apply(), c.worker(getenv), c.pause(), c.resume(), c.sync(), c.reread(), c.status())
	return root
}

// with calls do with a client of the Temporal service.
func (c *connection) with(cmd *cobra.Command, logger log.Logger, do func(client.Client) error) error {
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return misconfigured(err)
	}
	if c.address != "" {
		options.HostPort = c.address
	}
	if c.namespace != "" {
		options.Namespace = c.namespace
	}
	if options.Namespace == "" {
		options.Namespace = client.DefaultNamespace
	}
	c.namespace = options.Namespace
	options.Logger, options.MetricsHandler = logger, c.metrics
	options.ConnectionOptions.DialOptions = append(options.ConnectionOptions.DialOptions, apply.DialOption())
	t, err := client.DialContext(cmd.Context(), options)
	if err != nil {
		return unreachable(err, options)
	}
	defer t.Close()
	return withRemedy(do(t), options.Namespace)
}
