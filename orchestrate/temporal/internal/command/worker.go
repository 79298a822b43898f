package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/spf13/cobra"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/all"
	"github.com/stripe-connector/stripe-connector/client/pipeline"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
	"github.com/stripe-connector/stripe-connector/internal/page"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal/internal/watch"
)

const workerHelp = `Runs the workflows and the syncs of the pipelines in a file (default: pipelines.yaml) until SIGTERM or SIGINT. Running syncs
then stop at their last state, and another worker resumes them. All workers of a task queue should have the same file, and
the environment variables and files that it refers to. Secrets stay in the worker: they are never sent to Temporal.

With --metrics-listen, it serves HTTP there, without authentication: /metrics for Prometheus, /healthz, and /readyz (503 while
the worker stops).

Logs go to stderr, one JSON object per line.`

func (c *connection) worker(getenv func(string) string) *cobra.Command {
	var target, metricsListen string
	var plaintext bool
	var dial client.Options
	var o temporal.Options
	cmd := &cobra.Command{
		Use:   "worker [FILE]",
		Short: "Run the pipelines in a file",
		Long:  workerHelp,
		Example: `  stripe-connector-temporal worker pipelines.yaml --target 127.0.0.1:50051
  TEMPORAL_ADDRESS=temporal:7233 stripe-connector-temporal worker --target connector:50051 --plaintext`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := ReadFile(fileArgument(args))
			if err != nil {
				return err
			}
			if plaintext {
				dial.Credentials = insecure.NewCredentials()
			}
			service, err := client.Dial(target, dial)
			if err != nil {
				return err
			}
			defer service.Close()
			o.File, o.Service, o.Destinations, o.Getenv, o.TaskQueue = file, service, all.Kinds(), getenv, c.taskQueue
			logger := log.NewStructuredLogger(slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), nil)))
			return c.runWorker(cmd, logger, metricsListen, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&target, "target", "", "`host:port` of the connector's gRPC service; plaintext on this machine, TLS elsewhere")
	flags.BoolVar(&plaintext, "plaintext", false, "connect to the service without TLS, for example because a service mesh encrypts the connection")
	flags.StringVar(&dial.CAFile, "ca-file", "", "PEM `file` of the authorities trusted to issue the service's certificate")
	flags.StringVar(&dial.CertFile, "cert-file", "", "PEM `file` of a client certificate, with --key-file")
	flags.StringVar(&dial.KeyFile, "key-file", "", "PEM `file` of the client certificate's key")
	flags.StringVar(&dial.TokenFile, "token-file", "", "`file` with a token to send to the service")
	flags.StringVar(&metricsListen, "metrics-listen", "",
		"`address` that serves metrics and health over HTTP, such as 127.0.0.1:9464 (default: off)")
	flags.IntVar(&o.Syncs, "syncs", 0, "maximum `number` of syncs at the same time, including those that follow (default 100)")
	flags.DurationVar(&o.HeartbeatTimeout, "heartbeat-timeout", 0, "`time` after which a sync without a heartbeat is resumed by another worker (default 30s)")
	_ = cmd.MarkFlagRequired("target") // fails only if the flag doesn't exist
	return cmd
}

// runWorker runs a worker until cmd's context is done, and serves its metrics at an address, unless that is empty.
func (c *connection) runWorker(cmd *cobra.Command, logger log.Logger, metricsListen string, o temporal.Options) error {
	run := func(ctx context.Context, t temporalclient.Client) error {
		w := temporal.NewWorker(t, c.namespace, o)
		if err := w.Start(); err != nil {
			return fmt.Errorf("start the worker: %w", err)
		}
		<-ctx.Done()
		w.Stop()
		return nil
	}
	if metricsListen == "" {
		return c.with(cmd, logger, func(t temporalclient.Client) error { return run(cmd.Context(), t) })
	}
	listener, err := page.Listen(cmd.Context(), metricsListen)
	if err != nil {
		return err
	}
	defer listener.Close() // if the connection fails; otherwise, it is closed already
	watched := watch.New()
	c.metrics = watched.Metrics()
	return c.with(cmd, logger, func(t temporalclient.Client) error {
		logger.Info("serving metrics", "address", listener.Addr().String())
		return serveMetrics(cmd.Context(), watched, listener, func(ctx context.Context) error { return run(ctx, t) })
	})
}

// serveMetrics serves metrics and health while do runs. If that fails, it cancels do's context.
func serveMetrics(ctx context.Context, watched *watch.Watch, listener net.Listener, do func(context.Context) error) error {
	serving, ended := errgroup.WithContext(ctx)
	metrics := page.New(watched.Handler(func() bool { return ended.Err() != nil }))
	serving.Go(func() error { return page.Serve(metrics, listener) })
	err := do(ended)
	_ = metrics.Close() // not earlier: until now, it reports that the worker is stopping
	return errors.Join(err, serving.Wait())
}

// ReadFile reads a pipeline file.
func ReadFile(path string) (*pipeline.File, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the pipeline file: %w", err)
	}
	file, err := pipeline.Parse(path, content)
	if err != nil {
		return nil, err
	}
	for _, all := range [][]pipeline.Pipeline{file.Pipelines, file.Paused} {
		for i := range all {
			all[i].Selection.LeaveOut = table.Costly()
		}
	}
	return file, nil
}
