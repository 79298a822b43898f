package watch_test

import (
	"net"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/stripe-connector/stripe-connector/connector/examplesource"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
	"github.com/stripe-connector/stripe-connector/server"
	"github.com/stripe-connector/stripe-connector/server/watch"
)

// TestCallersDoNotDecideWhatIsSampled calls with a traceparent that asks for sampling, or asks for none. Only a server that trusts
// its callers does what it says.
func TestCallersDoNotDecideWhatIsSampled(t *testing.T) {
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	tests := map[string]struct {
		trusts  bool
		flags   string // of the traceparent
		root    sdktrace.Sampler
		sampled bool
	}{
		"asks for sampling":             {false, "01", sdktrace.NeverSample(), false},
		"asks for sampling, and may":    {true, "01", sdktrace.NeverSample(), true},
		"asks for no sampling":          {false, "00", sdktrace.AlwaysSample(), true},
		"asks for no sampling, and may": {true, "00", sdktrace.AlwaysSample(), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			spans := tracetest.NewSpanRecorder()
			provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans), sdktrace.WithSampler(sdktrace.ParentBased(test.root)))
			w := watch.New(watch.Options{Tracer: provider, TrustCallers: test.trusts})
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			s := server.New(&examplesource.Source{}, server.Options{Observer: w, GRPC: w.ServerOptions()})
			ended := make(chan error, 1)
			go func() { ended <- s.Serve(listener) }()
			conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				t.Fatal(err)
			}
			ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", "00-"+trace+"-00f067aa0ba902b7-"+test.flags)
			if _, err := connectorv1.NewConnectorServiceClient(conn).Spec(ctx, &connectorv1.SpecRequest{}); err != nil {
				t.Error(err)
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
			if err := s.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
			all := spans.Ended()
			if (len(all) > 0) != test.sampled {
				t.Fatalf("%d spans, sampled: want %t", len(all), test.sampled)
			}
			for _, span := range all {
				if ofCaller := span.SpanContext().TraceID().String() == trace; ofCaller != test.trusts {
					t.Errorf("the span belongs to trace %s", span.SpanContext().TraceID())
				}
				if linked := len(span.Links()) == 1 && span.Links()[0].SpanContext.TraceID().String() == trace; linked == test.trusts {
					t.Errorf("the span has links %v", span.Links())
				}
			}
		})
	}
}
