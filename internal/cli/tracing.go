package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/go-logr/logr" // for OpenTelemetry's own log
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace" // OTLP, which every trace collector accepts
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// flushTime bounds the export of the last spans at shutdown.
const flushTime = 5 * time.Second

// tracing returns the tracer provider configured by OpenTelemetry's standard environment variables
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/), or nil if they don't enable
// tracing. It chooses the exporter; the exporter and the sampler read their own variables. The caller calls stop,
// also if err is not nil.
func (a *app) tracing(ctx context.Context, logger *slog.Logger) (provider trace.TracerProvider, stop func(), err error) {
	// OpenTelemetry has only global settings for its errors and its log. By default it prints them between the lines
	// of this process's log.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("tracing", "error", err.Error()) }))
	otel.SetLogger(logr.New(otelLog{logger}))
	exporter, err := a.traceExporter(ctx)
	if exporter == nil || err != nil {
		return nil, func() {}, err
	}
	about, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "stripe-connector"), attribute.String("service.version", buildVersion())),
		resource.WithFromEnv(), // reads OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES
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

// traceExporter returns the exporter, or nil if tracing is not enabled.
func (a *app) traceExporter(ctx context.Context) (*otlptrace.Exporter, error) {
	endpoint := cmp.Or(a.getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), a.getenv("OTEL_EXPORTER_OTLP_ENDPOINT"))
	switch wanted := a.getenv("OTEL_TRACES_EXPORTER"); {
	case a.getenv("OTEL_SDK_DISABLED") == "true", wanted == "none", wanted == "" && endpoint == "":
		return nil, nil
	case wanted != "" && wanted != "otlp":
		return nil, fmt.Errorf("the environment variable OTEL_TRACES_EXPORTER must be otlp or none, got %q", wanted)
	}
	if endpoint != "" { // the exporter would silently ignore an invalid URL
		// Don't quote the value: a URL may contain a password.
		if u, err := url.Parse(endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, errors.New("the environment variable OTEL_EXPORTER_OTLP_ENDPOINT must be a URL such as http://127.0.0.1:4318")
		}
	}
	protocol := cmp.Or(a.getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), a.getenv("OTEL_EXPORTER_OTLP_PROTOCOL"), "http/protobuf")
	switch protocol {
	case "grpc":
		return otlptracegrpc.New(ctx)
	case "http/protobuf":
		return otlptracehttp.New(ctx)
	}
	return nil, fmt.Errorf("the environment variable OTEL_EXPORTER_OTLP_PROTOCOL must be grpc or http/protobuf, got %q", protocol)
}

// otelLog logs OpenTelemetry's messages about its settings, without their values, which may be secret.
type otelLog struct{ logger *slog.Logger }

func (otelLog) Init(logr.RuntimeInfo)            {}
func (otelLog) Enabled(int) bool                 { return false }
func (otelLog) Info(int, string, ...any)         {}
func (o otelLog) WithValues(...any) logr.LogSink { return o }
func (o otelLog) WithName(string) logr.LogSink   { return o }

func (o otelLog) Error(err error, doing string, _ ...any) {
	o.logger.Warn("tracing", "doing", doing, "error", err.Error())
}
