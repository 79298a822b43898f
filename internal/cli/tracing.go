package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/go-logr/logr" // what OpenTelemetry logs to
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace" // what every collector of traces takes
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// flushTime is how long the last spans may take to leave.
const flushTime = 5 * time.Second

// tracing makes the provider of spans that OpenTelemetry's standard variables ask for
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/); none if they ask for nothing.
// Which exporter it is, is decided here; the exporter and the sampler read their own variables. The caller calls stop.
func (a *app) tracing(ctx context.Context, logger *slog.Logger) (provider trace.TracerProvider, stop func(), err error) {
	// It has no other places for what goes wrong in it, and would print it between the lines of the log.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("tracing", "error", err.Error()) }))
	otel.SetLogger(logr.New(otelLog{logger}))
	exporter, err := a.traceExporter(ctx)
	if exporter == nil || err != nil {
		return nil, func() {}, err
	}
	about, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "stripe-connector"), attribute.String("service.version", buildVersion())),
		resource.WithFromEnv(), // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES
	)
	if err != nil {
		return nil, func() {}, fmt.Errorf("read the environment variables of OpenTelemetry: %w", err)
	}
	spans := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return spans, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
		defer cancel()
		if err := spans.Shutdown(ctx); err != nil {
			logger.Warn("the last spans were lost", "error", err.Error())
		}
	}, nil
}

// traceExporter makes the exporter; nil if none is wanted.
func (a *app) traceExporter(ctx context.Context) (*otlptrace.Exporter, error) {
	endpoint := cmp.Or(a.getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), a.getenv("OTEL_EXPORTER_OTLP_ENDPOINT"))
	switch wanted := a.getenv("OTEL_TRACES_EXPORTER"); {
	case a.getenv("OTEL_SDK_DISABLED") == "true", wanted == "none", wanted == "" && endpoint == "":
		return nil, nil
	case wanted != "" && wanted != "otlp":
		return nil, fmt.Errorf("the environment variable OTEL_TRACES_EXPORTER is %q: write otlp or none", wanted)
	}
	if endpoint != "" { // the exporter would go nowhere, and not say so
		// The value is not repeated: an address may have a password in it.
		if u, err := url.Parse(endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, errors.New("the environment variable OTEL_EXPORTER_OTLP_ENDPOINT is no URL: write one such as http://127.0.0.1:4318")
		}
	}
	protocol := cmp.Or(a.getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), a.getenv("OTEL_EXPORTER_OTLP_PROTOCOL"), "http/protobuf")
	switch protocol {
	case "grpc":
		return otlptracegrpc.New(ctx)
	case "http/protobuf":
		return otlptracehttp.New(ctx)
	}
	return nil, fmt.Errorf("the environment variable OTEL_EXPORTER_OTLP_PROTOCOL is %q: write grpc or http/protobuf", protocol)
}

// otelLog takes what OpenTelemetry says of its own settings: what is wrong, but not the values, which may be secret.
type otelLog struct{ logger *slog.Logger }

func (otelLog) Init(logr.RuntimeInfo)            {}
func (otelLog) Enabled(int) bool                 { return false }
func (otelLog) Info(int, string, ...any)         {}
func (o otelLog) WithValues(...any) logr.LogSink { return o }
func (o otelLog) WithName(string) logr.LogSink   { return o }

func (o otelLog) Error(err error, doing string, _ ...any) {
	o.logger.Warn("tracing", "doing", doing, "error", err.Error())
}
