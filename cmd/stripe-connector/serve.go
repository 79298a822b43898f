package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/stripe-connector/stripe-connector/server"
)

// defaultListen is where serve listens and healthcheck looks.
const defaultListen = "127.0.0.1:50051"

const serveHelp = `Serves connector.v1.ConnectorService, gRPC health and reflection until SIGTERM or SIGINT. Then health turns NOT_SERVING,
new Reads are refused, and calls that are still running after --drain are cut off, to be resumed elsewhere from their last
state; a second signal ends the process at once. Logs are JSON lines on stderr, without payloads.

A configuration that comes over the network may name another api_base than Stripe's own only if it is allowed here.

The exit code is 0 after a signal, and 1 if it could not listen or had to cut calls off.`

func (a *app) serve() *cobra.Command {
	var listen string
	var allowed []string
	var drain time.Duration
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the gRPC service",
		Long:  serveHelp,
		Example: `  stripe-connector serve
  stripe-connector serve --listen 0.0.0.0:50051 --drain 1m
  stripe-connector serve --allow-api-base http://127.0.0.1:12111`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			listener, err := new(net.ListenConfig).Listen(cmd.Context(), "tcp", listen)
			if err != nil {
				return fmt.Errorf("cannot listen, so choose another address with --listen: %w", err)
			}
			return a.serveOn(cmd.Context(), listener, allowed, drain)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", defaultListen, "`address` to listen on")
	cmd.Flags().StringSliceVar(&allowed, "allow-api-base", nil, "`URL` that configurations may name as api_base (repeatable)")
	cmd.Flags().DurationVar(&drain, "drain", 30*time.Second, "`time` that running calls have to end after a signal")
	return cmd
}

// serveOn serves until ctx is done.
func (a *app) serveOn(ctx context.Context, listener net.Listener, allowed []string, drain time.Duration) error {
	logger := slog.New(slog.NewJSONHandler(a.stderr, nil))
	s := server.New(a.source(allowed), server.Options{Logger: logger, Version: buildVersion()})
	serving, ended := errgroup.WithContext(ctx)
	serving.Go(func() error { return s.Serve(listener) })
	logger.Info("serving", "address", listener.Addr().String(), "version", buildVersion())
	<-ended.Done() // by a signal, or because serving failed
	logger.Info("draining", "limit", drain.String())
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := s.Shutdown(limit); err != nil {
		_ = serving.Wait()
		return fmt.Errorf("calls were still running after %s and were cut off: give them longer with --drain", drain)
	}
	if err := serving.Wait(); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	logger.Info("ended")
	return nil
}
