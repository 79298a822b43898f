package watch

import (
	"runtime"

	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus" // call metrics with common names
	"github.com/prometheus/client_golang/prometheus"                             // the common metrics format
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc" // spans of calls, and propagation
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc/filters"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/server"
)

// Options are the settings of a [Watch]. The zero value works.
type Options struct {
	// Version is the connector's build. Empty means "devel".
	Version string
	// Tracer creates the spans. If nil, there are none.
	Tracer trace.TracerProvider
	// TrustCallers makes the span of a call a child of its caller's span, so that callers decide what is sampled. Otherwise,
	// each call starts a new trace, with a link to its caller's span.
	TrustCallers bool
}

// Watch collects the metrics and traces of a connector. Create it with [New], set it as the observer of the source and of
// the server, and then call [Watch.Serving].
type Watch struct {
	registry *prometheus.Registry
	calls    *grpcprom.ServerMetrics
	spans    trace.TracerProvider
	tracer   trace.Tracer
	trusts   bool // see Options.TrustCallers
	reads
	requests
}

// callBuckets are the histogram buckets for calls, in seconds: a Check takes less than one, a Read up to hours.
var callBuckets = []float64{.01, .1, .5, 1, 5, 15, 60, 300, 1800, 7200, 21600}

var (
	_ server.Observer    = (*Watch)(nil)
	_ connector.Observer = (*Watch)(nil)
)

// New returns a Watch with its own registry.
func New(o Options) *Watch {
	if o.Version == "" {
		o.Version = "devel"
	}
	if o.Tracer == nil {
		o.Tracer = noop.NewTracerProvider()
	}
	w := &Watch{
		registry: prometheus.NewRegistry(),
		calls:    grpcprom.NewServerMetrics(grpcprom.WithServerHandlingTimeHistogram(grpcprom.WithHistogramBuckets(callBuckets))),
		spans:    o.Tracer,
		trusts:   o.TrustCallers,
		tracer:   o.Tracer.Tracer("github.com/stripe-connector/stripe-connector"),
		reads:    newReads(),
		requests: newRequests(),
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "connector_build_info", Help: "Always 1; the labels describe the build.",
	}, []string{"version", "go_version"})
	build.WithLabelValues(o.Version, runtime.Version()).Set(1)
	w.registry.MustRegister(
		w.calls, build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	w.registry.MustRegister(w.reads.all()...)
	w.registry.MustRegister(w.requests.all()...)
	return w
}

// ServerOptions returns gRPC server options that count and trace calls. Health probes, which come every few seconds, create
// no spans.
func (w *Watch) ServerOptions() []grpc.ServerOption {
	options := []otelgrpc.Option{
		otelgrpc.WithTracerProvider(w.spans),
		otelgrpc.WithPropagators(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})),
		otelgrpc.WithFilter(filters.Not(filters.HealthCheck())),
	}
	if !w.trusts {
		options = append(options, otelgrpc.WithPublicEndpoint())
	}
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(w.calls.UnaryServerInterceptor()),
		grpc.ChainStreamInterceptor(w.calls.StreamServerInterceptor()),
		grpc.StatsHandler(otelgrpc.NewServerHandler(options...)),
	}
}

// Serving adds the metrics that depend on the source and the server: the request rate of the source, if it is a
// [connector.Paced], and a zero for each method and code, so that the first failure of a kind is an increase. Call it once.
func (w *Watch) Serving(source connector.Source, s *server.Server) {
	w.calls.InitializeMetrics(s)
	if paced, ok := source.(connector.Paced); ok {
		w.registry.MustRegister(pace{paced})
	}
}
