// Package watch provides the Prometheus metrics of a worker: those of Temporal's SDK, and those of its syncs.
//
// Temporal's own adapters, contrib/tally and contrib/opentelemetry, each need another metrics library besides Prometheus's.
package watch

import (
	"net/http"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus" // the common metrics format, as in the connector's service
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.temporal.io/sdk/client"

	"github.com/stripe-connector/stripe-connector/internal/page"
)

// Watch holds the metrics of a worker. Create it with [New].
type Watch struct {
	registry *prometheus.Registry

	mu sync.Mutex
	// families are vectors of counters, gauges and histograms, by name and names of labels.
	families map[string]prometheus.Collector
	// values are the values seen of each label.
	values map[string]map[string]bool
}

// New returns a Watch with its own registry.
func New() *Watch {
	w := &Watch{registry: prometheus.NewRegistry(), families: map[string]prometheus.Collector{}, values: map[string]map[string]bool{}}
	w.registry.MustRegister(w, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return w
}

// Metrics returns what the Temporal client and its workers report to.
func (w *Watch) Metrics() client.MetricsHandler { return handler{watch: w} }

// Handler returns a handler for /metrics, /healthz (always 200) and /readyz (503 while draining returns true). It requires no
// authentication, and serves no secrets and no customer data.
func (w *Watch) Handler(draining func() bool) http.Handler {
	return page.Handler(promhttp.HandlerFor(w.registry, promhttp.HandlerOpts{Registry: w.registry}), draining, false)
}

// Describe implements [prometheus.Collector]. It describes nothing, since the SDK doesn't say beforehand which metrics it has,
// and one metric may have different labels.
func (w *Watch) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (w *Watch) Collect(metrics chan<- prometheus.Metric) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, family := range w.families {
		family.Collect(metrics)
	}
}

// maxValues is the maximum number of values of a label. All others share the value "other".
const maxValues = 200

// value returns the value of a label to use for v. Callers hold w.mu.
func (w *Watch) value(label, v string) string {
	seen := w.values[label]
	if seen == nil {
		seen = map[string]bool{}
		w.values[label] = seen
	}
	if !seen[v] && len(seen) >= maxValues {
		return "other"
	}
	seen[v] = true
	return v
}

// help returns the description of a metric.
func help(name string) string {
	switch {
	case strings.HasPrefix(name, "connector_records_received"):
		return "Records received from the connector's service."
	case strings.HasPrefix(name, "connector_syncs_ended"):
		return "Attempts to sync a pipeline that ended, by outcome."
	}
	return "Reported by Temporal's SDK: https://docs.temporal.io/references/sdk-metrics"
}
