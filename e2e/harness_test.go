package e2e

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
	"github.com/stripe-connector/stripe-connector/server"
)

// buildDir holds the binaries built by the tests.
var buildDir string

func TestMain(m *testing.M) {
	var err error
	if buildDir, err = os.MkdirTemp("", "stripe-connector-e2e"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(buildDir)
		os.Exit(code)
	}))
}

// quick retries after short delays.
var quick = api.Retry{Initial: time.Millisecond, Max: 20 * time.Millisecond, Budget: 20 * time.Second}

// serve starts the service with the Stripe at base, logging to w, and returns its address. It stops at the end of the test.
func serve(t *testing.T, base string, retry api.Retry, w io.Writer) string {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	source := stripe.New(stripe.Options{AllowedAPIBases: []string{base}, Transport: transport, Retry: retry})
	s := server.New(source, server.Options{Logger: slog.New(slog.NewJSONHandler(w, nil)), Version: "test"})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shut down: %v", err)
		}
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return listener.Addr().String()
}

// dial returns a client for the service at address.
func dial(t *testing.T, address string, options ...grpc.DialOption) connectorv1.ConnectorServiceClient {
	t.Helper()
	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))
	conn, err := grpc.NewClient(address, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return connectorv1.NewConnectorServiceClient(conn)
}

func configuration(t *testing.T, fields map[string]any) *structpb.Struct {
	t.Helper()
	config, err := structpb.NewStruct(fields)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// transcript is everything that one Read sent.
type transcript struct {
	messages []*connectorv1.ReadResponse
	summary  *connectorv1.Summary
	err      error
}

// read runs a Read to its end.
func read(t *testing.T, client connectorv1.ConnectorServiceClient, req *connectorv1.ReadRequest) transcript {
	t.Helper()
	stream, err := client.Read(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	var all transcript
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			all.err = err
			return all
		}
		all.messages = append(all.messages, m)
		if s := m.GetSummary(); s != nil {
			all.summary = s
		}
	}
}

// records returns the records of a stream, in order.
func (tr transcript) records(stream string) []*connectorv1.Record {
	var all []*connectorv1.Record
	for _, m := range tr.messages {
		if b := m.GetRecords(); b.GetStream() == stream {
			all = append(all, b.GetRecords()...)
		}
	}
	return all
}

func selectStreams(names ...string) []*connectorv1.ConfiguredStream {
	var all []*connectorv1.ConfiguredStream
	for _, name := range names {
		all = append(all, &connectorv1.ConfiguredStream{Stream: name})
	}
	return all
}
