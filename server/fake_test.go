package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// patience is the timeout for operations that would hang if the code were broken.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	if tokens := os.Getenv(victimTokens); tokens != "" {
		beVictim(tokens)
		return
	}
	goleak.VerifyTestMain(m)
}

// fakeSource is a source whose methods call the matching function, or do nothing if it is nil.
type fakeSource struct {
	spec     connector.Spec
	check    func(context.Context, connector.CheckRequest) (connector.CheckResult, error)
	discover func(context.Context, connector.DiscoverRequest) (connector.Catalog, error)
	read     func(context.Context, connector.ReadRequest, connector.Sink) (connector.Summary, error)
}

func (f *fakeSource) Spec() connector.Spec {
	if f.spec.SyncModes == nil {
		f.spec.SyncModes = []connector.SyncMode{connector.FullRefresh}
	}
	return f.spec
}

func (f *fakeSource) Check(ctx context.Context, req connector.CheckRequest) (connector.CheckResult, error) {
	if f.check == nil {
		return connector.CheckResult{}, nil
	}
	return f.check(ctx, req)
}

func (f *fakeSource) Discover(ctx context.Context, req connector.DiscoverRequest) (connector.Catalog, error) {
	if f.discover == nil {
		return connector.Catalog{}, nil
	}
	return f.discover(ctx, req)
}

func (f *fakeSource) Read(
	ctx context.Context, req connector.ReadRequest, sink connector.Sink,
) (connector.Summary, error) {
	if f.read == nil {
		return connector.Summary{}, nil
	}
	return f.read(ctx, req, sink)
}

// fixture is a running server and its client.
type fixture struct {
	connectorv1.ConnectorServiceClient

	server *Server
	conn   *grpc.ClientConn
	logs   *logs
}

// start runs a server on an in-memory connection until the test ends.
func start(t *testing.T, source connector.Source, opts Options, dial ...grpc.DialOption) *fixture {
	t.Helper()
	listener := bufconn.Listen(256 << 10)
	logs := &logs{}
	opts.Logger = slog.New(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	server := New(source, opts)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:bufconn", append(dial,
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStaticStreamWindowSize(64<<10), grpc.WithStaticConnWindowSize(1<<20))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		if err := server.Shutdown(context.Background()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return &fixture{ConnectorServiceClient: connectorv1.NewConnectorServiceClient(conn), server: server, conn: conn, logs: logs}
}

// readAll runs a Read to its end and returns its messages and error.
func (f *fixture) readAll(t *testing.T, req *connectorv1.ReadRequest) ([]*connectorv1.ReadResponse, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stream, err := f.Read(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	var responses []*connectorv1.ReadResponse
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return responses, nil
		}
		if err != nil {
			return responses, err
		}
		responses = append(responses, response)
	}
}

// logs collects log output.
type logs struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

// charges returns a minimal ReadRequest.
func charges() *connectorv1.ReadRequest {
	return &connectorv1.ReadRequest{Streams: []*connectorv1.ConfiguredStream{{Stream: "charges"}}}
}

// object parses a JSON object.
func object(t *testing.T, text string) *structpb.Struct {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		t.Fatal(err)
	}
	s, err := structpb.NewStruct(fields)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// details are the details of an RPC error.
type details struct {
	info    *errdetails.ErrorInfo
	failure *connectorv1.Failure
	bad     *errdetails.BadRequest
	retry   *errdetails.RetryInfo
}

func detailsOf(t *testing.T, err error) details {
	t.Helper()
	var d details
	for _, detail := range status.Convert(err).Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			d.info = detail
		case *connectorv1.Failure:
			d.failure = detail
		case *errdetails.BadRequest:
			d.bad = detail
		case *errdetails.RetryInfo:
			d.retry = detail
		default:
			t.Errorf("unexpected detail %T", detail)
		}
	}
	return d
}

// fields returns the paths of the violations.
func (d details) fields() []string {
	var fields []string
	for _, v := range d.bad.GetFieldViolations() {
		fields = append(fields, v.GetField())
	}
	return fields
}
