package client

import (
	"context"
	"fmt"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Health returns nil if the service accepts calls.
func (c *Client) Health(ctx context.Context) error {
	resp, err := c.health.Check(ctx, &healthpb.HealthCheckRequest{})
	if err != nil {
		return asError(ctx, err)
	}
	if status := resp.GetStatus(); status != healthpb.HealthCheckResponse_SERVING {
		return &Error{Code: codes.Unavailable, Failure: &connectorv1.Failure{
			Class:     connectorv1.FailureClass_FAILURE_CLASS_TRANSIENT,
			Message:   fmt.Sprintf("The service is %s: it is starting or shutting down. Otherwise, check its logs.", status),
			Retryable: true,
		}}
	}
	return nil
}
