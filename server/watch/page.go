package watch

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/stripe-connector/stripe-connector/internal/page"
)

// Handler returns a handler for /metrics, /healthz (always 200), /readyz (503 while draining returns true), and, if profiles
// is set, /debug/pprof. It requires no authentication, and serves no secrets and no customer data.
func (w *Watch) Handler(draining func() bool, profiles bool) http.Handler {
	return page.Handler(promhttp.HandlerFor(w.registry, promhttp.HandlerOpts{Registry: w.registry}), draining, profiles)
}
