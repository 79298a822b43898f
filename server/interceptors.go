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

// callInterceptors returns the interceptors, outermost first. Recovery is innermost, so that the others see a panic as an
// error. Logging comes after the gate, so that unauthenticated clients can't fill the disk.
func callInterceptors(opts Options, gate *gate) ([]grpc.UnaryServerInterceptor, []grpc.StreamServerInterceptor) {
	logger := opts.Logger
	// No payloads: they contain secrets and customer data. The logger adds the peer address itself.
	how := []logging.Option{
		logging.WithLogOnEvents(logging.StartCall, logging.FinishCall), logging.WithDisableLoggingFields("peer.address"),
	}
	lines, shouldLog := slogger(logger), selector.MatchFunc(logged)
	recovered := recovery.WithRecoveryHandlerContext(recoverer(logger))
	return []grpc.UnaryServerInterceptor{
		trailUnary,
		selector.UnaryServerInterceptor(logging.UnaryServerInterceptor(lines, how...), shouldLog),
		recovery.UnaryServerInterceptor(recovered),
	}, []grpc.StreamServerInterceptor{
		trailStream,
		gate.stream,
		selector.StreamServerInterceptor(logging.StreamServerInterceptor(lines, how...), shouldLog),
		recovery.StreamServerInterceptor(recovered),
	}
}

// logged reports whether to log a call. It skips calls refused by the gate, which logs them itself, and health checks, which
// come every few seconds.
func logged(ctx context.Context, call interceptors.CallMeta) bool {
	return callOf(ctx) != nil && call.Service != healthv1.Health_ServiceDesc.ServiceName
}

// slogger adapts a logger to the logging interceptor. Both use the same values for levels.
func slogger(logger *slog.Logger) logging.Logger {
	return logging.LoggerFunc(func(ctx context.Context, level logging.Level, msg string, fields ...any) {
		logger.Log(ctx, slog.Level(level), msg, fields...)
	})
}

// recoverer returns a handler that logs a panic with its stack. The client only sees a generic INTERNAL error.
func recoverer(logger *slog.Logger) recovery.RecoveryHandlerFuncContext {
	return func(ctx context.Context, value any) error {
		logger.ErrorContext(ctx, "panic in a call", "panic", panicText(value), "stack", string(debug.Stack()))
		return toStatus(&connector.Failure{
			Class:   connector.System,
			Message: "The connector failed. This is a bug: please report it with the time of the call.",
		}, secrets{})
	}
}

// panicText describes a panic: it returns the text of a [runtime.Error], but only the type of any other value, which may
// contain parts of a configuration or a record.
func panicText(value any) string {
	if err, ok := value.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", value)
}
