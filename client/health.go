package client

import (
	"context"
	"fmt"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Health asks whether the service takes calls. The error is nil if it does.
func (c *Client) Health(ctx context.Context) error {
	resp, err := c.health.Check(ctx, &healthpb.HealthCheckRequest{})
	if err != nil {
		return asError(ctx, err)
	}
	if status := resp.GetStatus(); status != healthpb.HealthCheckResponse_SERVING {
		return &Error{Code: codes.Unavailable, Failure: &connectorv1.Failure{
			Class:     connectorv1.FailureClass_FAILURE_CLASS_TRANSIENT,
			Message:   fmt.Sprintf("The service is %s: it starts or ends, or its logs say more.", status),
			Retryable: true,
		}}
	}
	return nil
}
