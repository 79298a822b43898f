package server

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// TestPanicInAWorkerEndsItsReadOnly has a source's worker panic while another Read is running. The panicking Read ends with
// INTERNAL, with the stack only in the internal message. The other Read completes, and no goroutine leaks (see TestMain).
func TestPanicInAWorkerEndsItsReadOnly(t *testing.T) {
	began, panicked := make(chan struct{}), make(chan struct{})
	source := &fakeSource{read: func(ctx context.Context, req connector.ReadRequest, sink connector.Sink) (connector.Summary, error) {
		name := req.Streams[0].Stream
		e := emit.New(req, sink, emit.Options{})
		s := e.Stream(emit.StreamOptions{Name: name, Checkpoint: func() (emit.Checkpoint, error) {
			return emit.Checkpoint{State: json.RawMessage(`{}`)}, nil
		}})
		return e.Run(ctx, func(ctx context.Context) error {
			if err := s.Begin(ctx, 1); err != nil {
				return err
			}
			workers, workCtx := emit.NewGroup(ctx)
			workers.Go(func() error {
				if name == "panics" {
					<-began
					_ = req.Streams[len(name)]
				}
				close(began)
				select {
				case <-panicked:
				case <-workCtx.Done():
				}
				return workCtx.Err()
			})
			if err := workers.Wait(); err != nil {
				return err
			}
			return s.Complete(ctx)
		})
	}}
	f := start(t, source, Options{})
	other := make(chan error, 1)
	go func() {
		_, err := f.readAll(t, charges())
		other <- err
	}()
	_, err := f.readAll(t, &connectorv1.ReadRequest{Streams: []*connectorv1.ConfiguredStream{{Stream: "panics"}}})
	close(panicked)
	failure := detailsOf(t, err).failure
	if status.Code(err) != codes.Internal || failure.GetClass() != connectorv1.FailureClass_FAILURE_CLASS_SYSTEM {
		t.Errorf("the call ends with %v", err)
	}
	if strings.Contains(status.Convert(err).Message(), ".go") || !strings.Contains(failure.GetInternalMessage(), "panic_test.go") {
		t.Errorf("the stack belongs into the internal message alone: %q, %q", status.Convert(err).Message(), failure.GetInternalMessage())
	}
	if err := <-other; err != nil {
		t.Errorf("the Read beside it ends with %v", err)
	}
}
