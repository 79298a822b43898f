package server

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/logging"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/selector"
	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/stripe-connector/stripe-connector/connector"
)

// callInterceptors returns what wraps every call, outermost first. Recovery comes last, so that the others see a panic as the
// error that it becomes. Calls are logged after the gate, so that unauthenticated clients can't fill the disk.
func callInterceptors(opts Options, gate *gate) ([]grpc.UnaryServerInterceptor, []grpc.StreamServerInterceptor) {
	logger := opts.Logger
	// Start and finish only: payloads hold secrets and customers' data. The logger knows the peer.
	how := []logging.Option{
		logging.WithLogOnEvents(logging.StartCall, logging.FinishCall), logging.WithDisableLoggingFields("peer.address"),
	}
	lines, worthLogging := slogger(logger), selector.MatchFunc(logged)
	recovered := recovery.WithRecoveryHandlerContext(recoverer(logger))
	return []grpc.UnaryServerInterceptor{
			trailUnary,
			selector.UnaryServerInterceptor(logging.UnaryServerInterceptor(lines, how...), worthLogging),
			recovery.UnaryServerInterceptor(recovered),
		}, []grpc.StreamServerInterceptor{
			trailStream,
			gate.stream,
			selector.StreamServerInterceptor(logging.StreamServerInterceptor(lines, how...), worthLogging),
			recovery.StreamServerInterceptor(recovered),
		}
}

// logged reports whether a call is worth a line. Calls that the gate refused are not, nor are health checks, which come every
// few seconds.
func logged(ctx context.Context, call interceptors.CallMeta) bool {
	return callOf(ctx) != nil && call.Service != healthv1.Health_ServiceDesc.ServiceName
}

// slogger adapts logger to the logging interceptor. Their levels have the same values.
func slogger(logger *slog.Logger) logging.Logger {
	return logging.LoggerFunc(func(ctx context.Context, level logging.Level, msg string, fields ...any) {
		logger.Log(ctx, slog.Level(level), msg, fields...)
	})
}

// recoverer logs a panic with its stack. The client learns only that there was one.
func recoverer(logger *slog.Logger) recovery.RecoveryHandlerFuncContext {
	return func(ctx context.Context, value any) error {
		logger.ErrorContext(ctx, "panic in a call", "panic", panicText(value), "stack", string(debug.Stack()))
		return toStatus(&connector.Failure{
			Class:   connector.System,
			Message: "The connector failed. This is a bug: please report it with the time of the call.",
		}, secrets{})
	}
}

// panicText describes a panic. Only the runtime's own errors are spelled out: any other value may have been made from a
// configuration or a record, so its type and the stack must do.
func panicText(value any) string {
	if err, ok := value.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", value)
}
