package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

const (
	defaultMaxRecvBytes    = 4 << 20
	defaultMaxMessageBytes = 4 << 20 // what a gRPC client receives unless it was told otherwise
	defaultBatchBytes      = 64 << 10
	maxBatchBytes          = 1 << 20
)

// Options are the settings of a [Server]. The zero value works.
type Options struct {
	// Logger takes one line when a call starts, one when it ends, and one for each panic. Nil means no logs.
	Logger *slog.Logger
	// Version is the connector's build, for Spec. Empty means "devel".
	Version string
	// MaxRecvBytes is the largest request accepted. Zero means 4 MiB.
	MaxRecvBytes int
	// MaxMessageBytes is the largest message sent. An object that needs a larger one fails its stream. Zero means
	// 4 MiB, which a client accepts by default.
	MaxMessageBytes int
	// BatchBytes is the size that messages with several records do not exceed. Zero means 64 KiB; more than 1 MiB means
	// 1 MiB, more than MaxMessageBytes means MaxMessageBytes.
	BatchBytes int
}

// Server serves one source. Make it with [New], run it with [Server.Serve], end it with [Server.Shutdown].
type Server struct {
	grpc      *grpc.Server
	health    *healthService
	drain     chan struct{} // closed when draining begins
	drainOnce sync.Once
}

// New makes a server that answers with source, whose Spec it asks for once.
func New(source connector.Source, opts Options) *Server {
	opts = opts.withDefaults()
	drain := make(chan struct{})
	s := &Server{
		grpc:   grpc.NewServer(serverOptions(opts)...),
		health: newHealthService(drain),
		drain:  drain,
	}
	connectorv1.RegisterConnectorServiceServer(s.grpc, newService(source, opts, drain))
	s.health.register(s.grpc)
	reflection.Register(s.grpc) // v1, and v1alpha for older tools
	return s
}

// Serve answers calls on listener, which it closes, until Shutdown. It returns nil after Shutdown, and otherwise the
// reason why it ended. It may be called for several listeners at once.
func (s *Server) Serve(listener net.Listener) error {
	if err := s.grpc.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

// Shutdown ends the server: health turns NOT_SERVING, new Reads are refused with UNAVAILABLE and a hint to retry, and
// the calls that are running may end. When ctx is done before they did, they are cancelled, and Shutdown returns the
// context's error. Either way no call is running any more when it returns.
func (s *Server) Shutdown(ctx context.Context) error {
	s.startDrain()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.grpc.GracefulStop()
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		s.grpc.Stop()
		<-ended
		return ctx.Err()
	}
}

// startDrain tells load balancers and callers to go elsewhere. Calls that are running go on.
func (s *Server) startDrain() {
	s.drainOnce.Do(func() {
		close(s.drain)
		s.health.Shutdown()
	})
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Version == "" {
		o.Version = "devel"
	}
	if o.MaxRecvBytes <= 0 {
		o.MaxRecvBytes = defaultMaxRecvBytes
	}
	if o.MaxMessageBytes <= 0 {
		o.MaxMessageBytes = defaultMaxMessageBytes
	}
	if o.BatchBytes <= 0 {
		o.BatchBytes = defaultBatchBytes
	}
	o.BatchBytes = min(o.BatchBytes, maxBatchBytes, o.MaxMessageBytes)
	return o
}
