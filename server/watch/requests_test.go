package watch_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/server/watch"
)

// TestSpansOfRequests checks that spans have exactly the expected attributes.
func TestSpansOfRequests(t *testing.T) {
	const endpoint = "/v1/invoices/{parent}/lines"
	tests := map[string]struct {
		request connector.Request
		tells   map[string]string
		status  codes.Code
	}{
		"good": {
			connector.Request{Attempt: 1, Status: 200},
			map[string]string{"http.request.resend_count": "0", "http.response.status_code": "200"}, codes.Unset,
		},
		"limited": {
			connector.Request{Attempt: 3, Status: 429, Limit: "endpoint-rate", Class: connector.RateLimit},
			map[string]string{
				"http.request.resend_count": "2", "http.response.status_code": "429", "rate_limit": "endpoint-rate", "error.type": "rate_limit",
			}, codes.Error,
		},
		"without an answer": {
			connector.Request{Attempt: 1, Class: connector.Transient},
			map[string]string{"http.request.resend_count": "0", "error.type": "transient"}, codes.Error,
		},
		"of a caller that left": {
			connector.Request{Attempt: 1}, map[string]string{"http.request.resend_count": "0"}, codes.Unset,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			spans := tracetest.NewSpanRecorder()
			provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
			ctx, call := provider.Tracer("test").Start(t.Context(), "call")
			test.request.Endpoint, test.request.Began, test.request.Took = endpoint, time.Unix(1_700_000_000, 0), time.Second
			watch.New(watch.Options{Tracer: provider}).Requested(ctx, test.request)
			if len(spans.Ended()) != 1 {
				t.Fatalf("%d spans ended", len(spans.Ended()))
			}
			span := spans.Ended()[0]
			test.tells["http.request.method"], test.tells["url.template"] = "GET", endpoint
			told := map[string]string{}
			for _, attribute := range span.Attributes() {
				told[string(attribute.Key)] = attribute.Value.String()
			}
			if diff := cmp.Diff(test.tells, told); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
			if span.Name() != "GET "+endpoint || span.SpanKind() != trace.SpanKindClient || len(span.Events()) > 0 ||
				span.Status() != (sdktrace.Status{Code: test.status}) {
				t.Errorf("got %s, %s, %v, %v", span.Name(), span.SpanKind(), span.Events(), span.Status())
			}
			if !span.StartTime().Equal(test.request.Began) || span.EndTime().Sub(span.StartTime()) != time.Second {
				t.Errorf("it lasts from %s to %s", span.StartTime(), span.EndTime())
			}
			if span.Parent().SpanID() != call.SpanContext().SpanID() {
				t.Error("it is not below its call")
			}
		})
	}
}

func TestLogsShowTheTrace(t *testing.T) {
	var out bytes.Buffer
	logger := slog.New(watch.Logs(slog.NewJSONHandler(&out, nil))).With("a", 1).WithGroup("g")
	ctx, span := sdktrace.NewTracerProvider().Tracer("test").Start(t.Context(), "call")
	defer span.End()
	logger.InfoContext(context.Background(), "without")
	logger.InfoContext(ctx, "with")
	without, with, _ := strings.Cut(out.String(), "\n")
	if strings.Contains(without, "trace_id") || !strings.Contains(with, span.SpanContext().TraceID().String()) ||
		!strings.Contains(with, span.SpanContext().SpanID().String()) {
		t.Errorf("the log is:\n%s", out.String())
	}
}
