package watch

import (
	"context"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/stripe-connector/stripe-connector/connector"
)

// requests holds the metrics of the source's upstream requests. With [Watch.Requested], it implements [connector.Observer].
type requests struct {
	asked    *prometheus.CounterVec
	took     prometheus.Histogram
	retries  *prometheus.CounterVec
	limited  *prometheus.CounterVec
	failures *prometheus.CounterVec
	waited   *prometheus.CounterVec
}

func newRequests() requests {
	r := requests{
		asked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "connector_source_requests_total",
			Help: "Requests made, by HTTP status class; none if there was no response.",
		}, []string{"endpoint", "status"}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "connector_source_request_duration_seconds",
			Help:    "Time from sending a request until its response was read and parsed.",
			Buckets: []float64{.025, .05, .1, .2, .4, .8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2},
		}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "connector_source_retries_total", Help: "Retried requests.",
		}, []string{"endpoint"}),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "connector_source_rate_limited_total", Help: "Requests refused with 429, by the limit that was exceeded.",
		}, []string{"reason"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "connector_source_request_failures_total", Help: "Failed requests, by failure class.",
		}, []string{"class"}),
		waited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "connector_source_wait_seconds_total",
			Help: "Time that requests waited, summed: rate for the rate limit, retry to back off before a retry.",
		}, []string{"cause"}),
	}
	for class := connector.ConfigError; class <= connector.System; class++ {
		r.failures.WithLabelValues(classWord(class)) // start at zero, so that the first failure is an increase
	}
	return r
}

func (r *requests) all() []prometheus.Collector {
	return []prometheus.Collector{r.asked, r.took, r.retries, r.limited, r.failures, r.waited}
}

func (r *requests) count(request connector.Request) {
	status := "none"
	if request.Status != 0 {
		status = strconv.Itoa(request.Status/100) + "xx"
	}
	r.asked.WithLabelValues(request.Endpoint, status).Inc()
	r.took.Observe(request.Took.Seconds())
	if request.Attempt > 1 {
		r.retries.WithLabelValues(request.Endpoint).Inc()
	}
	if request.Limit != "" {
		r.limited.WithLabelValues(request.Limit).Inc()
	}
	if request.Class != 0 {
		r.failures.WithLabelValues(classWord(request.Class)).Inc()
	}
}

// Waited adds the time waited.
func (r *requests) Waited(_ context.Context, w connector.Wait) {
	r.waited.WithLabelValues(string(w.Cause)).Add(w.Took.Seconds())
}

// Requested counts a request and records it as a child span of its call. The span contains the endpoint, but never the path
// or the query, which contain ids.
func (w *Watch) Requested(ctx context.Context, r connector.Request) {
	w.count(r)
	_, span := w.tracer.Start(ctx, "GET "+r.Endpoint,
		trace.WithTimestamp(r.Began), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(
			attribute.String("http.request.method", "GET"),
			attribute.String("url.template", r.Endpoint),
			attribute.Int("http.request.resend_count", r.Attempt-1),
		))
	if !span.IsRecording() {
		return
	}
	if r.Status != 0 {
		span.SetAttributes(attribute.Int("http.response.status_code", r.Status))
	}
	if r.Limit != "" {
		span.SetAttributes(attribute.String("rate_limit", r.Limit))
	}
	if r.Class != 0 {
		span.SetAttributes(attribute.String("error.type", classWord(r.Class)))
		span.SetStatus(codes.Error, "")
	}
	span.End(trace.WithTimestamp(r.Began.Add(r.Took)))
}
