package server

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	middleware "github.com/grpc-ecosystem/go-grpc-middleware/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// lifeline can end a call from outside of its handler. A Send or Recv that waits for the client heeds nothing but the
// context that the transport gave the stream, and only the tap, which runs before the stream is set up, can put one in
// its place that the server itself can end.
type lifeline struct {
	cut   context.CancelCauseFunc
	late  *time.Timer           // ends the call if its request does not come
	ended atomic.Pointer[error] // what the server itself ended the call with
}

// lifelineKey finds the lifeline of a call in its context.
type lifelineKey struct{}

// tapper gives every call a lifeline, and its client until timeout to send the request: without that, headers alone
// would hold a goroutine for ever.
func tapper(timeout time.Duration) tap.ServerInHandle {
	return func(ctx context.Context, _ *tap.Info) (context.Context, error) {
		ctx, cut := context.WithCancelCause(ctx)
		line := &lifeline{cut: cut, late: time.AfterFunc(timeout, func() { cut(context.DeadlineExceeded) })}
		return context.WithValue(ctx, lifelineKey{}, line), nil
	}
}

// arrived tells that the request of a call is here.
func arrived(ctx context.Context) {
	if line, ok := ctx.Value(lifelineKey{}).(*lifeline); ok {
		line.late.Stop()
	}
}

// counted notes when requests arrive and counts the connector's calls that run.
func counted(running *atomic.Int64) (grpc.UnaryServerInterceptor, grpc.StreamServerInterceptor) {
	begin := func(method string) (end func()) {
		if !strings.HasPrefix(method, "/"+connectorv1.ConnectorService_ServiceDesc.ServiceName+"/") {
			return func() {}
		}
		running.Add(1)
		return func() { running.Add(-1) }
	}
	unary := func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		arrived(ctx)
		defer begin(info.FullMethod)()
		return handle(ctx, req)
	}
	stream := func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		defer begin(info.FullMethod)()
		return handle(srv, &arriving{middleware.WrapServerStream(stream)})
	}
	return unary, stream
}

// arriving is a stream that notes when its first message arrives.
type arriving struct {
	*middleware.WrappedServerStream
}

// RecvMsg receives a message.
func (a *arriving) RecvMsg(m any) error {
	err := a.WrappedServerStream.RecvMsg(m)
	if err == nil {
		arrived(a.Context())
	}
	return err
}

// stall ends a call whose client takes nothing for too long. The zero value ends none.
type stall struct {
	timer   *time.Timer
	timeout time.Duration
}

// watchStall makes the stall of a Read.
func watchStall(stream grpc.ServerStream, timeout time.Duration) stall {
	line, ok := stream.Context().Value(lifelineKey{}).(*lifeline)
	if !ok {
		return stall{}
	}
	timer := time.AfterFunc(timeout, func() {
		reason := stalled(timeout)
		line.ended.Store(&reason)
		// Cancelling the context wakes the Send, but then gRPC ends the call with a bare CANCELLED: the first status written
		// counts. So the reason is written before, by the method with which gRPC itself writes the status that a handler
		// returns. TestStalledReadIsCutOff fails if a later version of gRPC has no such method.
		stream.SetTrailer(failureTrailers(reason))
		if transport, ok := grpc.ServerTransportStreamFromContext(stream.Context()).(statusWriter); ok {
			_ = transport.WriteStatus(status.Convert(reason)) // fails if the connection is gone, and the call with it
		}
		line.cut(reason)
	})
	timer.Stop()
	return stall{timer: timer, timeout: timeout}
}

// statusWriter is a [grpc.ServerTransportStream] that can end its call.
type statusWriter interface {
	WriteStatus(st *status.Status) error
}

// stalled returns the error of a Read whose client takes no message. Nothing is lost: the client can resume.
func stalled(timeout time.Duration) error {
	return toStatus(&connector.Failure{
		Class:     connector.Transient,
		Message:   fmt.Sprintf("The client took no message for %s, so the Read was ended. Resume it from the last state received.", timeout),
		Retryable: true,
	}, secrets{})
}

// begin notes that a message waits for the client.
func (s stall) begin() {
	if s.timer != nil {
		s.timer.Reset(s.timeout)
	}
}

// end notes that it does not any more.
func (s stall) end() {
	if s.timer != nil {
		s.timer.Stop()
	}
}

// cutOff returns the error with which the server itself ended a call, or nil.
func cutOff(ctx context.Context) error {
	if line, ok := ctx.Value(lifelineKey{}).(*lifeline); ok {
		if reason := line.ended.Load(); reason != nil {
			return *reason
		}
	}
	return nil
}
