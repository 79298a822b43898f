package examplesource_test

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/examplesource"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
	"github.com/stripe-connector/stripe-connector/server"
)

// serve serves a source as the command serve does, and returns a client of it.
func serve(t *testing.T, source connector.Source) *client.Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := server.New(source, server.Options{})
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	c, err := client.Dial(listener.Addr().String(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(c.Close(), s.Shutdown(context.Background()), <-served); err != nil {
			t.Error(err)
		}
	})
	return c
}

// TestOverGRPC reads the example source through the server and the client, which know nothing of it.
func TestOverGRPC(t *testing.T) {
	c := serve(t, &examplesource.Source{Files: os.DirFS("testdata/shop"), Token: token, PageSize: 2})
	ctx := t.Context()
	config, err := structpb.NewStruct(map[string]any{"token": token})
	if err != nil {
		t.Fatal(err)
	}
	spec, err := c.Spec(ctx)
	if err != nil || spec.GetSource() != "example" {
		t.Fatalf("Spec: %v, %v", spec, err)
	}
	check, err := c.Check(ctx, &connectorv1.CheckRequest{Config: config})
	if err != nil || check.GetStatus() != connectorv1.CheckStatus_CHECK_STATUS_SUCCEEDED {
		t.Fatalf("Check: %v, %v", check, err)
	}
	catalog, err := c.Discover(ctx, &connectorv1.DiscoverRequest{Config: config})
	if err != nil {
		t.Fatal(err)
	}
	req := &connectorv1.ReadRequest{Config: config}
	for _, stream := range catalog.GetStreams() {
		req.Streams = append(req.Streams, &connectorv1.ConfiguredStream{Stream: stream.GetName()})
	}
	keys := map[string][]string{}
	summary, err := c.ReadOnce(ctx, req, func(m *connectorv1.ReadResponse) error {
		for _, record := range m.GetRecords().GetRecords() {
			stream := m.GetRecords().GetStream()
			keys[stream] = append(keys[stream], record.GetData()[:11])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(keys["customers"]) != 7 || len(keys["orders"]) != 8 || len(keys["prices"]) != 5 {
		t.Errorf("records by stream: %v", keys)
	}
	if len(summary.GetStreams()) != 3 || summary.GetHasMore() {
		t.Errorf("the summary: %v", summary)
	}
}
