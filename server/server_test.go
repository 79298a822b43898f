package server

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

const serviceName = "connector.v1.ConnectorService"

func TestHealth(t *testing.T) {
	f := start(t, &fakeSource{}, Options{})
	client := healthv1.NewHealthClient(f.conn)
	check := func(want healthv1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		for _, service := range []string{"", serviceName} {
			got, err := client.Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
			if err != nil || got.GetStatus() != want {
				t.Errorf("service %q: %v %v, want %v", service, got, err, want)
			}
		}
	}
	check(healthv1.HealthCheckResponse_SERVING)
	f.server.startDrain()
	check(healthv1.HealthCheckResponse_NOT_SERVING)
	if _, err := client.Check(t.Context(), &healthv1.HealthCheckRequest{Service: "x"}); status.Code(err) != codes.NotFound {
		t.Errorf("unknown service: %v", err)
	}
	if text := f.logs.String(); text != "" {
		t.Errorf("health checks were logged: %s", text)
	}
}

func TestReflection(t *testing.T) {
	f := start(t, &fakeSource{}, Options{})
	want := []string{serviceName, "grpc.health.v1.Health"}

	stream, err := reflectionv1.NewServerReflectionClient(f.conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list := &reflectionv1.ServerReflectionRequest_ListServices{}
	if err := stream.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: list}); err != nil {
		t.Fatal(err)
	}
	answer, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, service := range answer.GetListServicesResponse().GetService() {
		names = append(names, service.GetName())
	}
	for _, name := range want {
		if !slices.Contains(names, name) {
			t.Errorf("reflection lists %v, not %s", names, name)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}

	old, err := reflectionv1alpha.NewServerReflectionClient(f.conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := old.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := old.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("v1alpha: %v", err)
	}
}

// waiting returns a source whose Read signals began, and returns when its context is done or release is closed.
func waiting(began chan<- struct{}, release <-chan struct{}) *fakeSource {
	return &fakeSource{read: func(
		ctx context.Context, _ connector.ReadRequest, _ connector.Sink,
	) (connector.Summary, error) {
		select {
		case began <- struct{}{}:
		case <-ctx.Done():
		}
		select {
		case <-release:
			return connector.Summary{}, nil
		case <-ctx.Done():
			return connector.Summary{}, ctx.Err()
		}
	}}
}

func TestDrainRefusesNewReadsAndLetsOthersEnd(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	f := start(t, waiting(began, release), Options{})
	running, err := f.Read(t.Context(), charges())
	if err != nil {
		t.Fatal(err)
	}
	<-began
	f.server.startDrain()

	_, err = f.readAll(t, charges())
	d := detailsOf(t, err)
	if status.Code(err) != codes.Unavailable || d.retry.GetRetryDelay().AsDuration() <= 0 || !d.failure.GetRetryable() {
		t.Errorf("a new Read gets %v with %v, want UNAVAILABLE and a time to wait", err, d)
	}
	if _, err := f.Spec(t.Context(), &connectorv1.SpecRequest{}); err != nil {
		t.Errorf("Spec while draining: %v", err)
	}

	ended := make(chan error, 1)
	go func() { ended <- f.server.Shutdown(context.Background()) }()
	close(release)
	if response, err := running.Recv(); err != nil || response.GetSummary() == nil {
		t.Errorf("the running Read got %v %v, want its summary", response, err)
	}
	if err := <-ended; err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

// TestDrainReachesTheSource has a Read that ends when the server drains.
func TestDrainReachesTheSource(t *testing.T) {
	began := make(chan struct{})
	f := start(t, &fakeSource{read: func(
		ctx context.Context, req connector.ReadRequest, _ connector.Sink,
	) (connector.Summary, error) {
		close(began)
		select {
		case <-req.Drain:
			return connector.Summary{HasMore: true, Streams: []connector.StreamSummary{{Stream: "charges", Status: connector.Incomplete}}}, nil
		case <-ctx.Done():
			return connector.Summary{}, ctx.Err()
		}
	}}, Options{})
	running, err := f.Read(t.Context(), charges())
	if err != nil {
		t.Fatal(err)
	}
	<-began
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := f.server.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if response, err := running.Recv(); err != nil || !response.GetSummary().GetHasMore() {
		t.Errorf("the Read ended with %v %v, want a summary with work left", response, err)
	}
	if _, err := running.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the Read ended with %v, want OK", err)
	}
}

func TestShutdownCutsOffRunningCalls(t *testing.T) {
	began := make(chan struct{})
	f := start(t, waiting(began, nil), Options{})
	stream, err := f.Read(t.Context(), charges())
	if err != nil {
		t.Fatal(err)
	}
	<-began
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.server.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown: %v, want the context's error", err)
	}
	if _, err := stream.Recv(); err == nil {
		t.Error("the Read goes on")
	}
}

// TestShutdownDoesNotWaitForWatchers has a client that watches health for load balancing and never ends the call.
func TestShutdownDoesNotWaitForWatchers(t *testing.T) {
	f := start(t, &fakeSource{}, Options{})
	stream, err := healthv1.NewHealthClient(f.conn).Watch(t.Context(), &healthv1.HealthCheckRequest{Service: serviceName})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := stream.Recv(); err != nil || got.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Fatalf("first %v %v", got, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := f.server.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if got, err := stream.Recv(); err != nil || got.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("the watcher got %v %v, want NOT_SERVING", got, err)
	}
	if _, err := stream.Recv(); err == nil {
		t.Error("the watch goes on")
	}
}

func TestServeAfterShutdown(t *testing.T) {
	server := New(&fakeSource{}, Options{})
	if err := server.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Serve(listener); err != nil {
		t.Errorf("serve after shutdown: %v", err)
	}
	if _, err := listener.Accept(); err == nil {
		t.Error("the listener is open")
	}
}

func TestOversizedRequest(t *testing.T) {
	f := start(t, &fakeSource{}, Options{MaxRecvBytes: 1000})
	config := object(t, `{"api_key": "`+strings.Repeat("k", 2000)+`"}`)
	_, checkErr := f.Check(t.Context(), &connectorv1.CheckRequest{Config: config})
	read := charges()
	read.Config = config
	_, readErr := f.readAll(t, read)
	for rpc, err := range map[string]error{"Check": checkErr, "Read": readErr} {
		if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "larger than max") {
			t.Errorf("%s: %v, want RESOURCE_EXHAUSTED that says why", rpc, err)
		}
	}
}

func TestOptionsDefaults(t *testing.T) {
	tests := map[string]struct{ in, want Options }{
		"zero": {Options{}, Options{Version: "devel", MaxRecvBytes: 4 << 20, MaxMessageBytes: 4 << 20, BatchBytes: 256 << 10}},
		"own": {
			Options{Version: "1.2.0", MaxRecvBytes: 1, MaxMessageBytes: 3000, BatchBytes: 2000},
			Options{Version: "1.2.0", MaxRecvBytes: 1, MaxMessageBytes: 3000, BatchBytes: 2000},
		},
		"batches beyond 1 MiB": {
			Options{Version: "v", MaxRecvBytes: 1, MaxMessageBytes: 9 << 20, BatchBytes: 8 << 20},
			Options{Version: "v", MaxRecvBytes: 1, MaxMessageBytes: 9 << 20, BatchBytes: 1 << 20},
		},
		"batches beyond messages": {
			Options{Version: "v", MaxRecvBytes: 1, MaxMessageBytes: 3000, BatchBytes: 8 << 20},
			Options{Version: "v", MaxRecvBytes: 1, MaxMessageBytes: 3000, BatchBytes: 3000},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := test.in.withDefaults()
			if got.Logger == nil {
				t.Error("no logger")
			}
			sizes := Options{
				Version: got.Version, MaxRecvBytes: got.MaxRecvBytes, MaxMessageBytes: got.MaxMessageBytes, BatchBytes: got.BatchBytes,
			}
			if diff := cmp.Diff(test.want, sizes); diff != "" {
				t.Error(diff)
			}
			if got.Credentials == nil || got.StallTimeout <= 0 || got.HandshakeTimeout <= 0 || got.ConnectionIdle <= 0 ||
				got.ConnectionAge <= 0 || got.ConnectionAgeGrace <= 0 || got.MinPing <= 0 || got.Observer == nil {
				t.Errorf("something has no default: %+v", got)
			}
		})
	}
}
