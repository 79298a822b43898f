package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/stripe-connector/stripe-connector/client"
)

func (a *app) healthcheck() *cobra.Command {
	var target string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Tell whether a service is healthy, by the exit code",
		Long: `Asks a service for its health over gRPC in plaintext. The exit code is 0 if it is SERVING and 1 if not. Containers
run it as their probe, since the image has no shell.`,
		Example: `  stripe-connector healthcheck
  stripe-connector healthcheck --target 127.0.0.1:50051 --timeout 1s`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if target == "" {
				target = probeTarget(cmp.Or(a.getenv(variable("listen")), defaultListen))
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			if err := healthy(ctx, target); err != nil {
				return fmt.Errorf("%s is not healthy: %w", target, err)
			}
			_, err := fmt.Fprintln(a.stdout, "SERVING")
			return err
		},
	}
	cmd.Flags().StringVar(&target, "target", "", "`host:port` of the service (default: where serve listens by default)")
	cmd.Flags().DurationVar(&timeout, "timeout", 3*time.Second, "`time` to wait for the answer")
	return cmd
}

// probeTarget gives the address by which this machine reaches a service that listens on listen.
func probeTarget(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// healthy tells whether a service takes calls, in plaintext, since nothing secret is sent.
func healthy(ctx context.Context, target string) error {
	service, err := client.Dial(target, client.Options{Credentials: insecure.NewCredentials()})
	if err != nil {
		return err
	}
	return errors.Join(service.Health(ctx), service.Close())
}
