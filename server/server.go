package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/reflection"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

const (
	defaultMaxRecvBytes    = 4 << 20
	defaultMaxMessageBytes = 4 << 20 // gRPC clients receive no more by default
	defaultBatchBytes      = 256 << 10
	maxBatchBytes          = 1 << 20

	defaultHandshakeTimeout   = 20 * time.Second
	defaultStallTimeout       = 10 * time.Minute
	defaultConnectionIdle     = 15 * time.Minute
	defaultConnectionAge      = 30 * time.Minute
	defaultConnectionAgeGrace = 24 * time.Hour
	defaultMinPing            = 10 * time.Second // the minimum in grpc-go's client
)

// Options are the settings of a [Server]. The zero value works.
type Options struct {
	// Logger receives one line when a call starts, one when it ends, one per stream of a Read, and one per panic.
	// If nil, nothing is logged.
	Logger *slog.Logger
	// Audit receives one line for each Check, Discover, and Read: the caller, the account, the streams, and the number of
	// records, but never content. If nil, there is no audit log.
	Audit *slog.Logger
	// Observer is notified of what Reads send. It may be nil.
	Observer Observer
	// GRPC holds additional server options, such as a stats handler. Interceptors in it run outermost.
	GRPC []grpc.ServerOption
	// Version is the connector's version, as reported by Spec. Empty means "devel".
	Version string
	// MaxRecvBytes is the largest request accepted. Zero means 4 MiB.
	MaxRecvBytes int
	// MaxMessageBytes is the largest message sent. An object that does not fit fails its stream. Zero means 4 MiB, which
	// clients accept by default.
	MaxMessageBytes int
	// BatchBytes is the maximum size of a message with several records. Zero means 256 KiB. It is capped at 1 MiB and at
	// MaxMessageBytes.
	BatchBytes int

	// Credentials secures the connections; see [LoadTLS]. If nil, connections are in clear text.
	Credentials credentials.TransportCredentials
	// Tokens authenticates clients that have presented no certificate. If nil, no token is required.
	Tokens *Tokens
	// Health and Reflection control access to the health and reflection services. The zero value, Guarded, admits callers
	// of the connector.
	Health, Reflection Access
	// Secrets holds the secrets that configurations may name. If nil, configurations must contain their secrets. The server
	// does not close it.
	Secrets *SecretsDir

	// MaxReads limits the number of concurrent Reads. MaxReadsPerAccount limits those of one account, if the source is a
	// [connector.Identifier]. Further Reads are refused with RESOURCE_EXHAUSTED and a retry delay. Zero means no limit.
	MaxReads, MaxReadsPerAccount int
	// MaxConnections limits the open connections of each listener. A quarter of them are available to clients that have not
	// made an authenticated call yet (or any call, if no credential is required). When that share is used up, each new
	// connection replaces the oldest one in it. When authenticated callers hold all connections, new ones wait until one
	// closes. Zero means no limit.
	MaxConnections int
	// HandshakeTimeout is the time allowed for a new connection's TLS and HTTP/2 handshakes, and then for each call's
	// request to arrive. Zero means 20 s.
	HandshakeTimeout time.Duration
	// StallTimeout is how long a message of a Read may wait for its client before the Read fails with UNAVAILABLE.
	// Zero means 10 minutes.
	StallTimeout time.Duration
	// ConnectionIdle is how long a connection without calls stays open. Zero means 15 minutes.
	ConnectionIdle time.Duration
	// ConnectionAge is the age at which a client is asked to reconnect, so that calls spread to newer servers. Calls in
	// flight may continue for ConnectionAgeGrace. Zero means 30 minutes and 24 hours, respectively.
	ConnectionAge, ConnectionAgeGrace time.Duration
	// MinPing is the minimum interval between a client's keepalive pings. Zero means 10 s.
	MinPing time.Duration
}

// Server serves one source. Create it with [New], run it with [Server.Serve], and stop it with [Server.Shutdown].
type Server struct {
	grpc      *grpc.Server
	probes    *grpc.Server // serves only health, in clear text
	health    *healthService
	opts      Options
	gate      *gate
	drain     chan struct{} // closed when draining begins
	drainOnce sync.Once
}

// New returns a server for source. It calls source.Spec once.
func New(source connector.Source, opts Options) *Server {
	opts = opts.withDefaults()
	drain := make(chan struct{})
	s := &Server{health: newHealthService(drain), opts: opts, drain: drain, gate: newGate(opts)}
	s.grpc = grpc.NewServer(append(slices.Clone(opts.GRPC), serverOptions(opts, s.gate)...)...)
	services := gated{s.grpc, s.gate}
	connectorv1.RegisterConnectorServiceServer(services, newService(source, opts, drain))
	if opts.Health != Closed {
		s.health.register(services)
	}
	if opts.Reflection != Closed {
		reflection.Register(services) // v1, and v1alpha for older tools
	}
	s.probes = grpc.NewServer(probeOptions(opts)...)
	s.health.register(s.probes)
	return s
}

// Serve serves calls on listener until Shutdown, and closes the listener. It returns nil after Shutdown and an error
// otherwise. It may be called concurrently with several listeners.
func (s *Server) Serve(listener net.Listener) error {
	if s.opts.MaxConnections > 0 {
		limited := limitListener(listener, s.opts.MaxConnections, s.opts.MaxConnections/strangersShare)
		s.gate.listen(limited)
		listener = limited
	}
	if err := s.grpc.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

// ServeHealth is like Serve, but serves only health, in clear text and without authentication, because a cluster's probes
// have neither TLS nor a token. Use a separate listener for it.
func (s *Server) ServeHealth(listener net.Listener) error {
	listener = limitListener(listener, maxProbes, maxProbes) // all are unauthenticated
	if err := s.probes.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

// CutOffError is the error of a Shutdown that cancelled calls because they took too long.
type CutOffError struct {
	Calls int
	cause error
}

func (e *CutOffError) Error() string { return fmt.Sprintf("%d calls were cut off", e.Calls) }

// Unwrap returns the error of Shutdown's context.
func (e *CutOffError) Unwrap() error { return e.cause }

// Shutdown stops the server. Health turns NOT_SERVING, new Reads are refused with UNAVAILABLE and a retry delay, and running
// Reads are asked to end at their next checkpoint. When ctx is done, Shutdown cancels the calls that are still running and
// returns a [*CutOffError]. No call is running when Shutdown returns.
func (s *Server) Shutdown(ctx context.Context) error {
	defer s.probes.Stop() // until then, probes can see NOT_SERVING
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
	}
	calls := int(s.gate.running.Load()) // zero if all calls have returned and only their output has not been received
	s.grpc.Stop()
	<-ended
	if calls > 0 {
		return &CutOffError{Calls: calls, cause: ctx.Err()}
	}
	return nil
}

// Draining reports whether the server no longer accepts new Reads.
func (s *Server) Draining() bool {
	select {
	case <-s.drain:
		return true
	default:
		return false
	}
}

// GetServiceInfo returns the server's services and methods, which metrics of calls are initialized from.
func (s *Server) GetServiceInfo() map[string]grpc.ServiceInfo { return s.grpc.GetServiceInfo() }

// startDrain turns health to NOT_SERVING, so that clients and load balancers use other servers. Running calls continue.
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
	o.Logger = slog.New(attributed{o.Logger.Handler()})
	if o.Observer == nil {
		o.Observer = noObserver{}
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
	if o.Credentials == nil {
		o.Credentials = insecure.NewCredentials()
	} else {
		o.Credentials = &observedCredentials{o.Credentials, newSparse(o.Logger), o.Observer}
	}
	if o.Audit != nil {
		o.Audit = slog.New(attributed{o.Audit.Handler()})
	}
	for value, ifZero := range map[*time.Duration]time.Duration{
		&o.HandshakeTimeout: defaultHandshakeTimeout, &o.StallTimeout: defaultStallTimeout, &o.MinPing: defaultMinPing,
		&o.ConnectionIdle: defaultConnectionIdle, &o.ConnectionAge: defaultConnectionAge, &o.ConnectionAgeGrace: defaultConnectionAgeGrace,
	} {
		if *value <= 0 {
			*value = ifZero
		}
	}
	o.BatchBytes = min(o.BatchBytes, maxBatchBytes, o.MaxMessageBytes)
	return o
}
