package client

import (
	"context"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Client calls a connector service. Its methods may run at once. Their errors are an [*Error], or the context's own.
type Client struct {
	service connectorv1.ConnectorServiceClient
	health  healthpb.HealthClient
	close   func() error
}

// New makes a client of a connection that the caller made and closes. Connections made by [Dial] have settings that
// long streams of large messages need; others should see to these themselves.
func New(conn grpc.ClientConnInterface) *Client {
	return &Client{
		service: connectorv1.NewConnectorServiceClient(conn),
		health:  healthpb.NewHealthClient(conn),
		close:   func() error { return nil },
	}
}

// Close closes the connection that Dial made. Calls under way fail.
func (c *Client) Close() error { return c.close() }

// Spec asks which configuration the connector takes and what it can do.
func (c *Client) Spec(ctx context.Context) (*connectorv1.SpecResponse, error) {
	resp, err := c.service.Spec(ctx, &connectorv1.SpecRequest{})
	return resp, asError(ctx, err)
}

// Check asks whether a configuration works. A configuration that does not work is an answer with status FAILED, not an
// error.
func (c *Client) Check(ctx context.Context, req *connectorv1.CheckRequest) (*connectorv1.CheckResponse, error) {
	resp, err := c.service.Check(ctx, req)
	return resp, asError(ctx, err)
}

// Discover asks for the catalog.
func (c *Client) Discover(ctx context.Context, req *connectorv1.DiscoverRequest) (*connectorv1.DiscoverResponse, error) {
	resp, err := c.service.Discover(ctx, req)
	return resp, asError(ctx, err)
}
