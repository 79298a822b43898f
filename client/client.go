package client

import (
	"context"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Client calls a connector service. Its methods are safe for concurrent use. They return an [*Error] or the context's error.
type Client struct {
	service connectorv1.ConnectorServiceClient
	health  healthpb.HealthClient
	close   func() error
}

// New returns a client that uses an existing connection, which the caller closes. [Dial] configures connections for long
// streams of large messages; other connections should be configured similarly.
func New(conn grpc.ClientConnInterface) *Client {
	return &Client{
		service: connectorv1.NewConnectorServiceClient(conn),
		health:  healthpb.NewHealthClient(conn),
		close:   func() error { return nil },
	}
}

// Close closes the connection that Dial made. Calls in flight fail.
func (c *Client) Close() error { return c.close() }

// Spec returns the connector's configuration schema and capabilities.
func (c *Client) Spec(ctx context.Context) (*connectorv1.SpecResponse, error) {
	resp, err := c.service.Spec(ctx, &connectorv1.SpecRequest{})
	return resp, asError(ctx, err)
}

// Check reports whether a configuration works. If it doesn't, the response has the status FAILED, and the error is nil.
func (c *Client) Check(ctx context.Context, req *connectorv1.CheckRequest) (*connectorv1.CheckResponse, error) {
	resp, err := c.service.Check(ctx, req)
	return resp, asError(ctx, err)
}

// Discover returns the catalog.
func (c *Client) Discover(ctx context.Context, req *connectorv1.DiscoverRequest) (*connectorv1.DiscoverResponse, error) {
	resp, err := c.service.Discover(ctx, req)
	return resp, asError(ctx, err)
}
