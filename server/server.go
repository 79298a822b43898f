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
	defaultMaxMessageBytes = 4 << 20 // what a gRPC client receives unless it was told otherwise
	defaultBatchBytes      = 256 << 10
	maxBatchBytes          = 1 << 20

	defaultHandshakeTimeout   = 20 * time.Second
	defaultStallTimeout       = 10 * time.Minute
	defaultConnectionIdle     = 15 * time.Minute
	defaultConnectionAge      = 30 * time.Minute
	defaultConnectionAgeGrace = 24 * time.Hour
	defaultMinPing            = 10 * time.Second // the shortest that grpc-go's client can be set to
)

// Options are the settings of a [Server]. The zero value works.
type Options struct {
	// Logger takes one line when a call starts, one when it ends, one for each stream of a Read, and one for each panic.
	// Nil means no logs.
	Logger *slog.Logger
	// Audit takes one line for each call that reads: who read which account and streams, and how many records, never content.
	// Nil means no such log.
	Audit *slog.Logger
	// Observer is told what Reads send. Nil means nobody.
	Observer Observer
	// GRPC are further options, such as a handler of statistics, or interceptors, which come outermost.
	GRPC []grpc.ServerOption
	// Version is the connector's build, for Spec. Empty means "devel".
	Version string
	// MaxRecvBytes is the largest request accepted. Zero means 4 MiB.
	MaxRecvBytes int
	// MaxMessageBytes is the largest message sent. An object that needs a larger one fails its stream. Zero means
	// 4 MiB, which a client accepts by default.
	MaxMessageBytes int
	// BatchBytes is the size that messages with several records do not exceed. Zero means 256 KiB; more than 1 MiB means
	// 1 MiB, more than MaxMessageBytes means MaxMessageBytes.
	BatchBytes int

	// Credentials secure the connections, as [LoadTLS] makes them. Nil means clear text.
	Credentials credentials.TransportCredentials
	// Tokens let in the clients that show no certificate. Nil means that none is asked for.
	Tokens *Tokens
	// Health and Reflection say who may call the health and reflection services. Zero means the callers of the connector.
	Health, Reflection Access
	// Secrets are what configurations may name. Nil means that they hold their secrets themselves. The caller closes it.
	Secrets *SecretsDir

	// MaxReads bounds the Reads that run at once, MaxReadsPerAccount those of one account, if the source is a
	// [connector.Identifier]. Others are refused with RESOURCE_EXHAUSTED and a time to wait. Zero means no bound.
	MaxReads, MaxReadsPerAccount int
	// MaxConnections bounds the open connections of each listener. A quarter of them are for clients that have made no call with
	// a credential yet, if there are credentials: when these are used up, the oldest is closed for the next. When all are in use
	// by known callers, others wait for one to close. Zero means no bound.
	MaxConnections int
	// HandshakeTimeout is how long a new connection may take to be of use, and then each call to bring its request.
	// Zero means 20 s.
	HandshakeTimeout time.Duration
	// StallTimeout is how long a message of a Read may wait for its client before the Read is ended with UNAVAILABLE.
	// Zero means 10 minutes.
	StallTimeout time.Duration
	// ConnectionIdle is how long a connection without calls is kept. Zero means 15 minutes.
	ConnectionIdle time.Duration
	// ConnectionAge is when a client is asked to reconnect, so that its calls spread over newer servers. Running calls may
	// continue for ConnectionAgeGrace. Zero means 30 minutes, and a day.
	ConnectionAge, ConnectionAgeGrace time.Duration
	// MinPing is the shortest interval at which clients may ping. Zero means 10 s.
	MinPing time.Duration
}

// Server serves one source. Make it with [New], run it with [Server.Serve], end it with [Server.Shutdown].
type Server struct {
	grpc      *grpc.Server
	probes    *grpc.Server // answers for health alone, in clear text
	health    *healthService
	opts      Options
	gate      *gate
	drain     chan struct{} // closed when draining begins
	drainOnce sync.Once
}

// New makes a server that answers with source, whose Spec it asks for once.
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

// Serve answers calls on listener, which it closes, until Shutdown. It returns nil after Shutdown, and otherwise the
// reason why it ended. It may be called for several listeners at once.
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

// ServeHealth answers for health alone, in clear text and to everybody, on a listener of its own: probes of a cluster
// speak no TLS and know no token. Otherwise it is like Serve.
func (s *Server) ServeHealth(listener net.Listener) error {
	listener = limitListener(listener, mostProbes, mostProbes) // all of them unauthenticated
	if err := s.probes.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

// CutOffError reports that Shutdown cut off calls that took too long.
type CutOffError struct {
	Calls int
	cause error
}

func (e *CutOffError) Error() string { return fmt.Sprintf("%d calls were cut off", e.Calls) }

// Unwrap returns the error of Shutdown's context.
func (e *CutOffError) Unwrap() error { return e.cause }

// Shutdown ends the server: health turns NOT_SERVING, new Reads are refused with UNAVAILABLE and a hint to retry, and
// those that are running are told to end at their next checkpoint. Calls that still run when ctx is done are cancelled,
// and the error is a [*CutOffError]. Either way no call is running any more when it returns.
func (s *Server) Shutdown(ctx context.Context) error {
	defer s.probes.Stop() // probes hear of the drain until it is over
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
	calls := int(s.gate.running.Load()) // none if clients only have not taken what their calls left behind
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

// GetServiceInfo names the methods that the server answers, for those who count calls of each.
func (s *Server) GetServiceInfo() map[string]grpc.ServiceInfo { return s.grpc.GetServiceInfo() }

// startDrain tells the client side, load balancers included, to use other servers. Running calls continue.
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
		o.Observer = nobody{}
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
