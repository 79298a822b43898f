package client

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// ReadOnce reads streams and hands each message to handle, in order, the summary included. While handle runs, nothing more
// than gRPC's windows is received. An error of handle ends the Read and is returned as it is. The strings of a message
// share memory: whoever keeps one of them for long clones it.
//
// The summary is nil if the Read did not come to an orderly end. Both are set if it did, and a stream failed. It does not
// try again: Read and Sync do, or the caller, with the last states that were stored.
func (c *Client) ReadOnce(
	ctx context.Context, req *connectorv1.ReadRequest, handle func(*connectorv1.ReadResponse) error,
) (*connectorv1.Summary, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream when handle gave up
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
		return nil, brokenOff()
	}
	return summary, nil
}

// brokenOff is the error of a Read that ended without a summary, though with status OK.
func brokenOff() *Error {
	return &Error{Code: codes.Unavailable, Failure: &connectorv1.Failure{
		Class:     connectorv1.FailureClass_FAILURE_CLASS_TRANSIENT,
		Message:   "The Read ended before its summary, so it is not complete. Resume it from the last state.",
		Retryable: true,
	}}
}
