package client_test

import (
	"google.golang.org/grpc"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// lossy is a service that sends a state covering more records than it sent.
type lossy struct{ *fakeService }

func (lossy) Read(_ *connectorv1.ReadRequest, out grpc.ServerStreamingServer[connectorv1.ReadResponse]) error {
	records := &connectorv1.RecordBatch{Stream: "a", Records: []*connectorv1.Record{fakeRecord(0)}}
	state := &connectorv1.StateCheckpoint{State: &connectorv1.StreamState{Stream: "a"}, Records: 2}
	for _, m := range []*connectorv1.ReadResponse{
		{Message: &connectorv1.ReadResponse_Records{Records: records}},
		{Message: &connectorv1.ReadResponse_Checkpoint{Checkpoint: state}},
		{Message: &connectorv1.ReadResponse_Summary{Summary: &connectorv1.Summary{}}},
	} {
		if err := out.Send(m); err != nil {
			return err
		}
	}
	return nil
}

// silent is a service that ends every Read with status OK but without a summary.
type silent struct {
	connectorv1.UnimplementedConnectorServiceServer
}

func (silent) Read(*connectorv1.ReadRequest, grpc.ServerStreamingServer[connectorv1.ReadResponse]) error {
	return nil
}
