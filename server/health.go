package server

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// healthService implements grpc.health.v1 for "" (liveness) and for the connector's service (readiness). It never asks the
// source, because an upstream outage must not cause the connector to be restarted.
type healthService struct {
	*health.Server
	drain <-chan struct{}
}

func newHealthService(drain <-chan struct{}) *healthService {
	h := &healthService{Server: health.NewServer(), drain: drain}
	h.SetServingStatus("", healthv1.HealthCheckResponse_SERVING)
	h.SetServingStatus(connectorv1.ConnectorService_ServiceDesc.ServiceName, healthv1.HealthCheckResponse_SERVING)
	return h
}

func (h *healthService) register(registrar grpc.ServiceRegistrar) {
	healthv1.RegisterHealthServer(registrar, h)
}

// Watch sends the status and each change of it. When the server drains, Watch ends once the client has been notified.
// Otherwise, clients that watch health for load balancing would delay a graceful stop until its deadline.
func (h *healthService) Watch(req *healthv1.HealthCheckRequest, stream healthv1.Health_WatchServer) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	return h.Server.Watch(req, &watch{Health_WatchServer: stream, ctx: ctx, cancel: cancel, drain: h.drain})
}

// watch is the stream of a Watch. Its context ends after a draining server has sent NOT_SERVING.
type watch struct {
	healthv1.Health_WatchServer
	ctx    context.Context //nolint:containedctx // a stream carries its context, as gRPC's own do
	cancel context.CancelFunc
	drain  <-chan struct{}
}

// Context returns a context that is done when the client is gone or has been notified of the drain.
func (w *watch) Context() context.Context { return w.ctx }

// Send sends a status, and ends the Watch if it was the last one.
func (w *watch) Send(response *healthv1.HealthCheckResponse) error {
	if err := w.Health_WatchServer.Send(response); err != nil {
		return err
	}
	if response.GetStatus() == healthv1.HealthCheckResponse_NOT_SERVING {
		select {
		case <-w.drain:
			w.cancel()
		default:
		}
	}
	return nil
}
