package cli

import (
	"context"
	"errors"
	"net"

	"github.com/spf13/cobra"

	"github.com/stripe-connector/stripe-connector/internal/page"
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
	return page.Listen(ctx, w.listen)
}
