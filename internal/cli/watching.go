package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/stripe-connector/stripe-connector/server"
)

const metricsHelp = `With --metrics-listen, it serves HTTP there, without authentication: /metrics for Prometheus, /healthz, /readyz (503 while
draining) and, with --pprof, profiles below /debug/pprof/. Traces are exported as configured by OpenTelemetry's environment
variables, such as OTEL_EXPORTER_OTLP_ENDPOINT; by default, there are none. The log has a line for each call and for each
stream read.`

// metricsFlags holds the flags of serve for monitoring.
type metricsFlags struct {
	listen   string
	profiles bool
}

func (w *metricsFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&w.listen, "metrics-listen", "",
		"`address` that serves metrics and health over HTTP, such as 127.0.0.1:9464 (default: off)")
	cmd.Flags().BoolVar(&w.profiles, "pprof", false, "also serve profiles, at --metrics-listen")
}

// open returns the listener for metrics, or nil if metrics are off.
func (w *metricsFlags) open(ctx context.Context) (net.Listener, error) {
	if w.listen == "" {
		if w.profiles {
			return nil, errors.New("--pprof requires an address: set --metrics-listen too")
		}
		return nil, nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", w.listen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen: choose another address with --metrics-listen: %w", err)
	}
	return server.LimitListener(listener, mostWatchers), nil
}

// mostWatchers is the maximum number of connections to --metrics-listen.
const mostWatchers = 64

// watchPage returns the HTTP server for metrics and health. Its timeouts bound how long a slow or silent client holds
// a connection.
func watchPage(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      2 * time.Minute, // a profile takes a while
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}

// servePage serves until page is closed.
func servePage(page *http.Server, listener net.Listener) error {
	if err := page.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}
