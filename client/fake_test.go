package client_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// fakeService is a connector whose streams consist of numbered records. Record i has the id i modulo ids, so later
// records replace earlier ones, and every seventh is a DELETE. A state is the number of the next record.
type fakeService struct {
	connectorv1.UnimplementedConnectorServiceServer
	streams []string
	records int // per stream
	page    int // number of records between two states
	padding int // number of bytes to add to each record
	// before, if set, is called before each page and at the end of each Read. Its error ends the Read.
	before func(read int, stream string, next int) error
	// failures, if set, returns a failure with which to end a stream after its first page: SKIPPED if its class is
	// PERMISSION, otherwise INCOMPLETE.
	failures func(read int, stream string) *connectorv1.Failure
	// drains, if set, is called before each page, and reports whether to leave the rest of the stream to another Read.
	drains func(read int, stream string) bool
	// adorn, if set, is called with the summary of each stream and may change it.
	adorn func(read int, s *connectorv1.StreamSummary)

	mu    sync.Mutex
	reads []*connectorv1.ReadRequest
}

const ids = 50

// fakeRecord returns record i of a stream.
func fakeRecord(i int) *connectorv1.Record {
	r := &connectorv1.Record{
		Operation: connectorv1.Operation_OPERATION_UPSERT,
		Data:      fmt.Sprintf(`{"id":"id_%d","n":%d}`, i%ids, i),
	}
	if i%7 == 6 {
		r.Operation, r.Data = connectorv1.Operation_OPERATION_DELETE, fmt.Sprintf(`{"id":"id_%d"}`, i%ids)
	}
	return r
}

func (f *fakeService) Discover(context.Context, *connectorv1.DiscoverRequest) (*connectorv1.DiscoverResponse, error) {
	schema, err := structpb.NewStruct(map[string]any{"properties": map[string]any{
		"id": map[string]any{"type": "string"}, "n": map[string]any{"type": "integer"}}})
	if err != nil {
		return nil, err
	}
	resp := &connectorv1.DiscoverResponse{}
	for _, name := range f.streams {
		resp.Streams = append(resp.Streams, &connectorv1.Stream{
			Name: name, PrimaryKey: []string{"id"}, JsonSchema: schema,
			SupportedSyncModes: []connectorv1.SyncMode{connectorv1.SyncMode_SYNC_MODE_INCREMENTAL},
		})
	}
	return resp, nil
}

func (f *fakeService) Read(req *connectorv1.ReadRequest, out grpc.ServerStreamingServer[connectorv1.ReadResponse]) error {
	f.mu.Lock()
	f.reads = append(f.reads, req)
	read := len(f.reads)
	f.mu.Unlock()
	next := map[string]int{}
	for _, s := range req.GetStates() {
		next[s.GetStream()] = int(s.GetContent().GetFields()["next"].GetNumberValue())
	}
	summary := &connectorv1.Summary{Requests: 1}
	var failed error
	for _, s := range req.GetStreams() {
		name := s.GetStream()
		state, failure, err := f.readStream(read, name, next[name], out)
		if err != nil {
			return err
		}
		end := &connectorv1.StreamSummary{Stream: name, State: &connectorv1.StreamState{Stream: name, Content: state}, Status: connectorv1.StreamStatus_STREAM_STATUS_COMPLETE}
		if failure != nil {
			end.Failure, end.Status = failure, connectorv1.StreamStatus_STREAM_STATUS_INCOMPLETE
			if failure.GetClass() == connectorv1.FailureClass_FAILURE_CLASS_PERMISSION {
				end.Status = connectorv1.StreamStatus_STREAM_STATUS_SKIPPED
			} else if failed == nil {
				failed = statusOf(codes.Unavailable, failure)
			}
		}
		if f.drains != nil && int(state.GetFields()["next"].GetNumberValue()) < f.records {
			end.Status, summary.HasMore = connectorv1.StreamStatus_STREAM_STATUS_INCOMPLETE, true
		}
		if f.adorn != nil {
			f.adorn(read, end)
		}
		summary.Streams = append(summary.Streams, end)
	}
	if f.before != nil {
		if err := f.before(read, "", 0); err != nil {
			return err
		}
	}
	if err := out.Send(&connectorv1.ReadResponse{Message: &connectorv1.ReadResponse_Summary{Summary: summary}}); err != nil {
		return err
	}
	return failed
}

// readStream sends the records and states of one stream.
func (f *fakeService) readStream(
	read int, name string, next int, out grpc.ServerStreamingServer[connectorv1.ReadResponse],
) (*structpb.Struct, *connectorv1.Failure, error) {
	var state *structpb.Struct
	tell := func(s connectorv1.StreamStatus) error {
		return out.Send(&connectorv1.ReadResponse{Message: &connectorv1.ReadResponse_StreamStatus{
			StreamStatus: &connectorv1.StreamStatusChange{Stream: name, Status: s}}})
	}
	if err := tell(connectorv1.StreamStatus_STREAM_STATUS_STARTED); err != nil {
		return nil, nil, err
	}
	for next < f.records {
		if f.drains != nil && f.drains(read, name) {
			return state, nil, tell(connectorv1.StreamStatus_STREAM_STATUS_INCOMPLETE)
		}
		if f.before != nil {
			if err := f.before(read, name, next); err != nil {
				return nil, nil, err
			}
		}
		batch := &connectorv1.RecordBatch{Stream: name}
		for range min(f.page, f.records-next) {
			r := fakeRecord(next)
			r.Data += strings.Repeat(" ", f.padding)
			batch.Records = append(batch.Records, r)
			next++
		}
		if err := out.Send(&connectorv1.ReadResponse{
			Message: &connectorv1.ReadResponse_Records{Records: batch}}); err != nil {
			return nil, nil, err
		}
		state, _ = structpb.NewStruct(map[string]any{"next": next})
		checkpoint := &connectorv1.StateCheckpoint{
			State: &connectorv1.StreamState{Stream: name, Content: state}, Records: int64(len(batch.GetRecords()))}
		if err := out.Send(&connectorv1.ReadResponse{
			Message: &connectorv1.ReadResponse_Checkpoint{Checkpoint: checkpoint}}); err != nil {
			return nil, nil, err
		}
		if f.failures != nil {
			if failure := f.failures(read, name); failure != nil {
				return state, failure, nil
			}
		}
	}
	return state, nil, tell(connectorv1.StreamStatus_STREAM_STATUS_COMPLETE)
}

// statusOf returns the gRPC error with which the service reports a failure.
func statusOf(code codes.Code, failure *connectorv1.Failure) error {
	st, err := status.New(code, failure.GetMessage()).WithDetails(failure)
	if err != nil {
		return err
	}
	return st.Err()
}

// transient returns a retryable failure.
func transient(stream string) *connectorv1.Failure {
	return &connectorv1.Failure{Class: connectorv1.FailureClass_FAILURE_CLASS_TRANSIENT,
		Message: "Stripe is out of order.", Retryable: true, Stream: stream}
}

// connect serves f in memory and returns a client. Both are closed when the test ends.
func connect(t *testing.T, f connectorv1.ConnectorServiceServer) *client.Client {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	s := grpc.NewServer()
	connectorv1.RegisterConnectorServiceServer(s, f)
	healthpb.RegisterHealthServer(s, healthy())
	done := make(chan error, 1)
	go func() { done <- s.Serve(listener) }()
	c, err := client.Dial("passthrough:///memory", client.Options{
		Credentials: insecure.NewCredentials(),
		DialOptions: []grpc.DialOption{grpc.WithContextDialer(
			func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) })},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		s.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return c
}

// healthy returns a health server that reports, as the service does, that the connector accepts calls.
func healthy() *health.Server {
	h := health.NewServer()
	h.SetServingStatus(connectorv1.ConnectorService_ServiceDesc.ServiceName, healthpb.HealthCheckResponse_SERVING)
	return h
}
