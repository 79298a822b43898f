package server

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/stripe-connector/stripe-connector/connector"
)

// lifeline can end a call from outside its handler. Only the stream's own context can interrupt a Send or Recv that is
// waiting for the client, and only the tap handle, which runs before the stream is set up, can replace that context with
// one that the server can cancel.
type lifeline struct {
	cut   context.CancelCauseFunc
	ended atomic.Pointer[error] // the error with which the server ended the call, if it did
}

// lifelineKey is the context key for a call's lifeline.
type lifelineKey struct{}

// attachLifeline is the tap handle that attaches a lifeline to every call. It must not create anything that outlives the
// stream, because a client may reset streams as fast as it opens them.
func attachLifeline(ctx context.Context, _ *tap.Info) (context.Context, error) {
	ctx, cut := context.WithCancelCause(ctx)
	return context.WithValue(ctx, lifelineKey{}, &lifeline{cut: cut}), nil
}

// stall ends a call if one message waits too long for the client to receive it. The zero value does nothing.
type stall struct {
	timer   *time.Timer
	timeout time.Duration
}

// watchStall returns the stall for a Read.
func watchStall(stream grpc.ServerStream, timeout time.Duration) stall {
	line, ok := stream.Context().Value(lifelineKey{}).(*lifeline)
	if !ok {
		return stall{}
	}
	timer := time.AfterFunc(timeout, func() {
		reason := stalled(timeout)
		line.ended.Store(&reason)
		// Cancelling the context wakes the Send, but gRPC then ends the call with a bare CANCELLED. The first status written
		// wins, so write the reason first, with the method that gRPC itself uses for the status returned by a handler.
		// TestStalledReadIsCutOff fails if a later version of gRPC lacks this method.
		stream.SetTrailer(failureTrailers(reason))
		if transport, ok := grpc.ServerTransportStreamFromContext(stream.Context()).(statusWriter); ok {
			_ = transport.WriteStatus(status.Convert(reason)) // fails only if the connection is gone, and the call with it
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

// stalled returns the error of a Read whose client stopped receiving. The client can resume it.
func stalled(timeout time.Duration) error {
	return toStatus(&connector.Failure{
		Class:     connector.Transient,
		Message:   fmt.Sprintf("The client received no message for %s, so the Read was ended. Resume it from the last state received.", timeout),
		Retryable: true,
	}, secrets{})
}

// begin starts the timer, before a message is sent.
func (s stall) begin() {
	if s.timer != nil {
		s.timer.Reset(s.timeout)
	}
}

// end stops the timer, after the message was sent.
func (s stall) end() {
	if s.timer != nil {
		s.timer.Stop()
	}
}

// cutOff returns the error with which the server ended the call, or nil if it did not.
func cutOff(ctx context.Context) error {
	if line, ok := ctx.Value(lifelineKey{}).(*lifeline); ok {
		if reason := line.ended.Load(); reason != nil {
			return *reason
		}
	}
	return nil
}
