package server

import (
	"context"
	"fmt"

	"google.golang.org/grpc"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// sink is the [connector.Sink] of a Read. It sends each message immediately, in order, without buffering.
type sink struct {
	stream grpc.ServerStreamingServer[connectorv1.ReadResponse]
	packer packer
	hidden secrets
	stall  stall
}

var _ connector.Sink = (*sink)(nil)

// Send sends m, and blocks while the client is slow. A blocked Send returns only when the call ends, not when ctx is done,
// because gRPC can't abandon a message that it has started to send. The call ends if the client receives nothing for
// [Options].StallTimeout. If a record of a batch can't be sent, Send returns an error and sends nothing of the batch.
func (s *sink) Send(ctx context.Context, m connector.Message) error {
	switch m := m.(type) {
	case *connector.RecordBatch:
		return s.sendRecords(ctx, m)
	case *connector.StateCheckpoint:
		response, err := stateResponse(m)
		if err != nil {
			return err
		}
		return s.send(ctx, response)
	case *connector.StreamStatus:
		return s.send(ctx, statusResponse(m, s.hidden))
	case *connector.Progress:
		return s.send(ctx, progressResponse(m))
	case *connector.LogEntry:
		return s.send(ctx, logResponse(m, s.hidden))
	}
	return fmt.Errorf("the protocol has no message for a %T", m)
}

func (s *sink) sendRecords(ctx context.Context, batch *connector.RecordBatch) error {
	parcels, err := s.packer.pack(batch)
	if err != nil {
		return err
	}
	for _, p := range parcels {
		if err := s.send(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (s *sink) sendSummary(ctx context.Context, summary connector.Summary) error {
	response, err := summaryResponse(summary, s.hidden)
	if err != nil {
		return err
	}
	return s.send(ctx, response)
}

// send sends a ReadResponse or a parcel.
func (s *sink) send(ctx context.Context, message any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.stall.begin()
	defer s.stall.end()
	if err := s.stream.SendMsg(message); err != nil {
		return sendError(s.stream.Context(), err)
	}
	return nil
}
