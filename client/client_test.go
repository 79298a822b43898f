package client_test

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

func TestErrors(t *testing.T) {
	detailed, err := status.New(codes.ResourceExhausted, "slow down").WithDetails(
		&errdetails.RetryInfo{RetryDelay: durationpb.New(3 * time.Second)},
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: "config.x", Description: "Omit it."}}})
	if err != nil {
		t.Fatal(err)
	}
	own := &connectorv1.Failure{Class: connectorv1.FailureClass_FAILURE_CLASS_AUTH, Message: "The key was refused."}
	tests := map[string]struct {
		err       error
		message   string
		class     connectorv1.FailureClass
		retryable bool
		after     time.Duration
	}{
		"the service's own": {statusOf(codes.Unauthenticated, own), "The key was refused.",
			connectorv1.FailureClass_FAILURE_CLASS_AUTH, false, 0},
		"standard details": {detailed.Err(), "A limit was reached: slow down.; config.x: Omit it.",
			connectorv1.FailureClass_FAILURE_CLASS_RATE_LIMIT, true, 3 * time.Second},
		"unreachable": {status.Error(codes.Unavailable, "refused"),
			"The service cannot be reached (refused). Check that it is running and that the target is correct.",
			connectorv1.FailureClass_FAILURE_CLASS_TRANSIENT, true, 0},
		"too large": {status.Error(codes.ResourceExhausted, "message too large"),
			"A limit was reached: message too large.", connectorv1.FailureClass_FAILURE_CLASS_RATE_LIMIT, false, 0},
		"stream reset": {status.Error(codes.Internal, "RST_STREAM"), "The call failed with Internal: RST_STREAM.",
			connectorv1.FailureClass_FAILURE_CLASS_SYSTEM, true, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := &fakeService{streams: []string{"a"}, records: 1, page: 1,
				before: func(int, string, int) error { return test.err }}
			summary, err := connect(t, f).ReadOnce(t.Context(),
				&connectorv1.ReadRequest{Streams: []*connectorv1.ConfiguredStream{{Stream: "a"}}},
				func(*connectorv1.ReadResponse) error { return nil })
			e, ok := errors.AsType[*client.Error](err)
			if !ok || summary != nil {
				t.Fatalf("got %v, %v, want an *Error", summary, err)
			}
			if e.Error() != test.message {
				t.Errorf("got message %q, want %q", e, test.message)
			}
			if e.Failure.GetClass() != test.class || e.Retryable() != test.retryable || e.RetryAfter() != test.after {
				t.Errorf("got %s, retryable %t after %s", e.Failure.GetClass(), e.Retryable(), e.RetryAfter())
			}
		})
	}
}

func TestReadWithoutSummaryIsAnError(t *testing.T) {
	c := connect(t, silent{})
	_, err := c.ReadOnce(t.Context(), &connectorv1.ReadRequest{}, func(*connectorv1.ReadResponse) error { return nil })
	if e, ok := errors.AsType[*client.Error](err); !ok || !e.Retryable() {
		t.Errorf("got %v, want a retryable *Error", err)
	}
}

func TestReadEndsWithItsHandler(t *testing.T) {
	sufficient := errors.New("enough")
	f := &fakeService{streams: []string{"a"}, records: 1 << 30, page: 1}
	_, err := connect(t, f).ReadOnce(t.Context(),
		&connectorv1.ReadRequest{Streams: []*connectorv1.ConfiguredStream{{Stream: "a"}}},
		func(*connectorv1.ReadResponse) error { return sufficient })
	if !errors.Is(err, sufficient) {
		t.Errorf("got %v, want the handler's error", err)
	}
}
