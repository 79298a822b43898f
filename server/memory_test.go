package server

import (
	"context"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// TestStalledReadersCostLittle has clients that start a Read over real connections and don't receive its messages. The limit
// applies to the server and the clients together, since they share this process.
func TestStalledReadersCostLittle(t *testing.T) {
	const (
		connections, readsPerConnection = 10, 20
		bound                           = 192 << 20
	)
	running := goleak.IgnoreCurrent()
	var sent atomic.Int64
	server := New(endless(&sent), Options{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	before := memoryInUse()
	ctx, cancel := context.WithCancel(t.Context())
	var conns []*grpc.ClientConn
	for range connections {
		conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithStaticStreamWindowSize(64<<10), grpc.WithStaticConnWindowSize(1<<20))
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
		for range readsPerConnection {
			stream, err := connectorv1.NewConnectorServiceClient(conn).Read(ctx, charges())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
		}
	}
	waitUntilStill(&sent)
	grown := memoryInUse() - before
	t.Logf("%d stalled readers hold %.1f MiB after %d messages", connections*readsPerConnection, float64(grown)/(1<<20), sent.Load())
	if grown > bound {
		t.Errorf("stalled readers hold %d bytes, more than %d", grown, bound)
	}

	cancel()
	for _, conn := range conns {
		_ = conn.Close()
	}
	if err := server.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	goleak.VerifyNone(t, running)
}

// endless returns a source that sends batches of about 200 KB until it is stopped. As with the pages of a real source, each
// batch has its own memory.
func endless(sent *atomic.Int64) *fakeSource {
	return &fakeSource{read: func(
		ctx context.Context, _ connector.ReadRequest, sink connector.Sink,
	) (connector.Summary, error) {
		for {
			if err := sink.Send(ctx, sized(repeat(2000, 100)...)); err != nil {
				return connector.Summary{}, err
			}
			sent.Add(1)
		}
	}}
}

// waitUntilStill waits until count has not changed for a while, which means that all senders are blocked.
func waitUntilStill(count *atomic.Int64) {
	for last := int64(-1); count.Load() != last; {
		last = count.Load()
		time.Sleep(300 * time.Millisecond)
	}
}

// memoryInUse returns the size of the heap after a garbage collection, plus that of the stacks.
func memoryInUse() int64 {
	runtime.GC()
	runtime.GC() // a sync.Pool releases its content in the second collection
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc + stats.StackInuse)
}
