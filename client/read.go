package client

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// ReadOnce reads streams and calls handle for each message, in order, including the summary. While handle runs, the
// client buffers no more than gRPC's windows. An error of handle ends the Read and is returned unchanged. The strings
// of a message share memory, so clone any that you keep for long.
//
// The summary is nil if the Read ended early. If a stream failed, both the summary and the error are set. ReadOnce doesn't
// retry: use Read or Sync, or retry with the last stored states.
func (c *Client) ReadOnce(
	ctx context.Context, req *connectorv1.ReadRequest, handle func(*connectorv1.ReadResponse) error,
) (*connectorv1.Summary, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the call when handle fails
	stream, err := c.service.Read(ctx, req, grpc.ForceCodecV2(newCodec()))
	if err != nil {
		return nil, asError(ctx, err)
	}
	var summary *connectorv1.Summary
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return summary, asError(ctx, err)
		}
		if err := handle(m); err != nil {
			return summary, err
		}
		if s := m.GetSummary(); s != nil {
			summary = s
		}
	}
	if summary == nil {
		return nil, noSummary()
	}
	return summary, nil
}

// noSummary returns the error of a Read that ended with status OK but without a summary.
func noSummary() *Error {
	return &Error{Code: codes.Unavailable, Failure: &connectorv1.Failure{
		Class:     connectorv1.FailureClass_FAILURE_CLASS_TRANSIENT,
		Message:   "The Read ended before its summary, so it is not complete. Resume it from the last state.",
		Retryable: true,
	}}
}
