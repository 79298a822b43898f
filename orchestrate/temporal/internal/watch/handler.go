package watch

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
)

// buckets are the histogram buckets of times, in seconds: a request takes milliseconds, a sync up to hours, and a workflow that
// follows a day.
var buckets = []float64{.005, .01, .05, .1, .5, 1, 5, 15, 60, 300, 1800, 7200, 21600, 86400}

// handler implements [client.MetricsHandler]. Names get the suffixes that Prometheus recommends, and that dashboards for
// Temporal's SDK expect.
type handler struct {
	watch *Watch
	tags  map[string]string
}

// WithTags implements [client.MetricsHandler].
func (h handler) WithTags(tags map[string]string) client.MetricsHandler {
	all := map[string]string{}
	maps.Copy(all, h.tags)
	maps.Copy(all, tags)
	return handler{h.watch, all}
}

// Counter implements [client.MetricsHandler]. It starts at zero.
func (h handler) Counter(name string) client.MetricsCounter {
	name = strings.TrimSuffix(name, "_total") + "_total"
	return counter{metric(h, name, (*prometheus.CounterVec).With, func(labels []string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help(name)}, labels)
	})}
}

// Gauge implements [client.MetricsHandler].
func (h handler) Gauge(name string) client.MetricsGauge {
	return gauge{metric(h, name, (*prometheus.GaugeVec).With, func(labels []string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help(name)}, labels)
	})}
}

// Timer implements [client.MetricsHandler].
func (h handler) Timer(name string) client.MetricsTimer {
	name += "_seconds"
	return timer{metric(h, name, (*prometheus.HistogramVec).With, func(labels []string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help(name), Buckets: buckets}, labels)
	})}
}

type (
	counter struct{ prometheus.Counter }
	gauge   struct{ prometheus.Gauge }
	timer   struct{ prometheus.Observer }
)

func (c counter) Inc(n int64)             { c.Add(float64(n)) }
func (g gauge) Update(v float64)          { g.Set(v) }
func (t timer) Record(took time.Duration) { t.Observe(took.Seconds()) }

// metric returns the metric with h's tags from the vector of this name, which create creates if needed.
func metric[V prometheus.Collector, M any](h handler, name string, with func(V, prometheus.Labels) M, create func(labels []string) V) M {
	h.watch.mu.Lock()
	defer h.watch.mu.Unlock()
	names := slices.Sorted(maps.Keys(h.tags))
	key := name + " " + strings.Join(names, " ")
	vector, ok := h.watch.families[key].(V)
	if !ok {
		vector = create(names)
		h.watch.families[key] = vector
	}
	labels := prometheus.Labels{}
	for label, v := range h.tags {
		labels[label] = h.watch.value(label, v)
	}
	return with(vector, labels)
}
