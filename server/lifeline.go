package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	middleware "github.com/grpc-ecosystem/go-grpc-middleware/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
	"google.golang.org/protobuf/proto"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// lifeline can end a call from outside of its handler. A Send or Recv that waits for the client heeds nothing but the
// context that the transport gave the stream, and only the tap, which runs before the stream is set up, can put one in
// its place that the server itself can end.
type lifeline struct {
	cut  context.CancelCauseFunc
	late *time.Timer // ends the call if its request does not come
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
		// gRPC itself ends the call with a bare CANCELLED once the Send wakes. Details that come in the trailer by hand
		// complete it, as long as they have the same code.
		if details, err := proto.Marshal(status.Convert(reason).Proto()); err == nil {
			stream.SetTrailer(metadata.Pairs("grpc-status-details-bin", string(details)))
		}
		line.cut(&cutError{reason})
	})
	timer.Stop()
	return stall{timer: timer, timeout: timeout}
}

// stalled is the error of a call whose client takes nothing. It is the client's doing, and nothing is lost.
func stalled(timeout time.Duration) error {
	return failureStatus(codes.Canceled, &connector.Failure{
		Class: connector.Transient,
		Message: fmt.Sprintf("The client took nothing for %s, so the Read was ended: go on from the last state received.",
			timeout),
		Retryable: true,
	}, secrets{})
}

// cutError is the cause of a context that the server itself ended, with the error that the call ends with.
type cutError struct{ error }

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

// cutOff gives the error of a call that the server itself ended; nil if it did not.
func cutOff(ctx context.Context) error {
	if cut, ok := errors.AsType[*cutError](context.Cause(ctx)); ok {
		return cut.error
	}
	return nil
}
