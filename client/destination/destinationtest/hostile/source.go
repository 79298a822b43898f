package hostile

import (
	"context"
	"fmt"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

const (
	objects = 600 // of each stream
	page    = 50
)

// Source is a connector service whose streams contain numbered objects. The state of a stream is the number of the next
// change. The first changes create the objects. [Source.Advance] adds changes that update, delete and create objects.
type Source struct {
	connectorv1.UnimplementedConnectorServiceServer
	// Between, if set, is called before every page of a stream except the first, with the number of the next change.
	Between func(stream string, next int)

	fields  map[string]any
	changes []change
}

// change is one record of each stream.
type change struct {
	id      string
	data    string
	deleted bool
}

// Streams are the names of the source's streams.
var Streams = []string{"charges", "invoices"}

// NewSource returns a source of objects whose text is in many scripts.
func NewSource() *Source {
	s := &Source{fields: map[string]any{
		"id": map[string]any{"type": "string"}, "amount": map[string]any{"type": "integer"},
		"note": map[string]any{"type": "string"}, "card": map[string]any{"type": "object"}, "paid": map[string]any{"type": "boolean"},
	}}
	for i := range objects {
		s.put(i, 0)
	}
	return s
}

func (s *Source) put(i, version int) {
	id := fmt.Sprintf("id_%04d", i)
	s.changes = append(s.changes, change{id: id, data: fmt.Sprintf(
		`{"amount":%d,"card":{"name":"Zoë \\ O'Hara %d"},"id":%q,"note":"é € 漢字 🎉 'v%d'","paid":%t}`, i*100+version, i, id, version, i%2 == 0)})
}

// Advance adds changes to some objects, including the first ones.
func (s *Source) Advance() {
	version := len(s.changes)
	for i := range 60 {
		s.put(i*7, version)
	}
	for i := range 5 {
		s.changes = append(s.changes, change{id: fmt.Sprintf("id_%04d", i*11), deleted: true})
	}
	for i := range 5 {
		s.put(objects+version+i, version)
	}
}

// Truth returns the current objects by id, as in their records.
func (s *Source) Truth() map[string]string {
	truth := map[string]string{}
	for _, c := range s.changes {
		truth[c.id] = c.data
		if c.deleted {
			delete(truth, c.id)
		}
	}
	return truth
}

// Discover implements the service.
func (s *Source) Discover(context.Context, *connectorv1.DiscoverRequest) (*connectorv1.DiscoverResponse, error) {
	schema, err := structpb.NewStruct(map[string]any{"properties": s.fields})
	if err != nil {
		return nil, err
	}
	resp := &connectorv1.DiscoverResponse{}
	for _, name := range Streams {
		resp.Streams = append(resp.Streams, &connectorv1.Stream{Name: name, PrimaryKey: []string{"id"}, JsonSchema: schema,
			SupportedSyncModes: []connectorv1.SyncMode{connectorv1.SyncMode_SYNC_MODE_INCREMENTAL}})
	}
	return resp, nil
}

// Read implements the service.
func (s *Source) Read(req *connectorv1.ReadRequest, out grpc.ServerStreamingServer[connectorv1.ReadResponse]) error {
	next := map[string]int{}
	for _, state := range req.GetStates() {
		next[state.GetStream()] = int(state.GetContent().GetFields()["next"].GetNumberValue())
	}
	summary := &connectorv1.Summary{}
	for _, stream := range req.GetStreams() {
		name := stream.GetStream()
		if err := s.read(name, next[name], out); err != nil {
			return err
		}
		complete := connectorv1.StreamStatus_STREAM_STATUS_COMPLETE
		summary.Streams = append(summary.Streams, &connectorv1.StreamSummary{Stream: name, Status: complete})
		if err := out.Send(&connectorv1.ReadResponse{Message: &connectorv1.ReadResponse_StreamStatus{
			StreamStatus: &connectorv1.StreamStatusChange{Stream: name, Status: complete, Generation: 1}}}); err != nil {
			return err
		}
	}
	return out.Send(&connectorv1.ReadResponse{Message: &connectorv1.ReadResponse_Summary{Summary: summary}})
}

// read sends the changes of a stream, starting with number next, one page at a time.
func (s *Source) read(name string, next int, out grpc.ServerStreamingServer[connectorv1.ReadResponse]) error {
	for first := true; first || next < len(s.changes); first = false {
		if !first && s.Between != nil {
			s.Between(name, next)
		}
		batch := &connectorv1.RecordBatch{Stream: name, Generation: 1}
		for range min(page, len(s.changes)-next) {
			c := s.changes[next]
			next++
			record := &connectorv1.Record{Operation: connectorv1.Operation_OPERATION_UPSERT, Data: c.data}
			if c.deleted {
				record.Operation, record.Data = connectorv1.Operation_OPERATION_DELETE, fmt.Sprintf(`{"id":%q}`, c.id)
			}
			batch.Records = append(batch.Records, record)
		}
		if err := out.Send(&connectorv1.ReadResponse{Message: &connectorv1.ReadResponse_Records{Records: batch}}); err != nil {
			return err
		}
		state, err := structpb.NewStruct(map[string]any{"next": next})
		if err != nil {
			return err
		}
		if err := out.Send(&connectorv1.ReadResponse{Message: &connectorv1.ReadResponse_Checkpoint{Checkpoint: &connectorv1.StateCheckpoint{
			State: &connectorv1.StreamState{Stream: name, Content: state}, Records: int64(len(batch.GetRecords()))}}}); err != nil {
			return err
		}
	}
	return nil
}

// Connect serves the source in memory and returns a client for it. Both are closed when the test ends.
func (s *Source) Connect(t testing.TB) *client.Client {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	connectorv1.RegisterConnectorServiceServer(server, s)
	ready := health.NewServer()
	ready.SetServingStatus(connectorv1.ConnectorService_ServiceDesc.ServiceName, healthpb.HealthCheckResponse_SERVING)
	healthpb.RegisterHealthServer(server, ready)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
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
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return c
}
