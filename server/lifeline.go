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

// lifeline can end a call from outside of its handler. A Send or Recv that waits for the client obeys nothing but the
// context that the transport gave the stream, and only the tap, which runs before the stream is set up, can put one in
// its place that the server itself can end.
type lifeline struct {
	cut   context.CancelCauseFunc
	ended atomic.Pointer[error] // what the server itself ended the call with
}

// lifelineKey finds the lifeline of a call in its context.
type lifelineKey struct{}

// giveLifeline attaches a lifeline to every call. It must hold nothing that outlives the stream: a client may reset streams as fast as it
// opens them.
func giveLifeline(ctx context.Context, _ *tap.Info) (context.Context, error) {
	ctx, cut := context.WithCancelCause(ctx)
	return context.WithValue(ctx, lifelineKey{}, &lifeline{cut: cut}), nil
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
