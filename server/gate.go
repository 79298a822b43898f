package server

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	middleware "github.com/grpc-ecosystem/go-grpc-middleware/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

const (
	// maxUnauthenticatedCalls limits the calls in flight of clients without a credential, on a server that requires one for some
	// services. maxUnauthenticatedRequests limits those whose request is being received, each of which may hold MaxRecvBytes.
	maxUnauthenticatedCalls    = 256
	maxUnauthenticatedRequests = 16
)

// gate authenticates and admits each call before its request is read, when it has cost no more than its headers.
type gate struct {
	opts            Options
	running         atomic.Int64  // calls of the connector's service in flight
	unauthenticated atomic.Int64  // unauthenticated calls in flight
	requests        chan struct{} // semaphore for unauthenticated requests being received
	refusals        *sparse

	mu        sync.Mutex
	listeners []*limitedListener
}

func newGate(opts Options) *gate {
	return &gate{opts: opts, requests: make(chan struct{}, maxUnauthenticatedRequests), refusals: newSparse(opts.Logger)}
}

// visit is an admitted call.
type visit struct {
	ctx             context.Context //nolint:containedctx // that of the call, with its caller
	gate            *gate
	unauthenticated bool        // unauthenticated, on a server that requires a credential for some services
	isConnector     bool        // a call of the connector's service
	requestTimer    *time.Timer // cancels the call if its request does not arrive in time
}

// enter admits a call, or returns the error to respond with. If it is admitted, leave must be called at its end.
func (g *gate) enter(ctx context.Context, fullMethod string) (*visit, error) {
	service, _, _ := strings.Cut(strings.TrimPrefix(fullMethod, "/"), "/")
	v := &visit{ctx: ctx, gate: g, isConnector: service == connectorv1.ConnectorService_ServiceDesc.ServiceName}
	caller, err := g.opts.Tokens.authenticate(ctx)
	switch {
	case err == nil:
		g.markAuthenticated(peerOf(ctx))
		v.ctx = withCall(ctx, caller)
	case g.guards(service):
		g.refused(ctx, fullMethod, err)
		return nil, err
	default:
		v.ctx, v.unauthenticated = withCall(ctx, principal{}), true
		if err := g.admitUnauthenticated(ctx); err != nil {
			g.refused(ctx, fullMethod, err)
			return nil, err
		}
	}
	if v.isConnector {
		g.running.Add(1)
	}
	if line, ok := ctx.Value(lifelineKey{}).(*lifeline); ok {
		v.requestTimer = time.AfterFunc(g.opts.HandshakeTimeout, func() { line.cut(context.DeadlineExceeded) })
	}
	return v, nil
}

// listen registers a listener whose connections are limited.
func (g *gate) listen(l *limitedListener) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.listeners = append(g.listeners, l)
}

// markAuthenticated marks the connection from peer as authenticated.
func (g *gate) markAuthenticated(peer string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range g.listeners {
		l.markAuthenticated(peer)
	}
}

// guards reports whether a service requires a credential.
func (g *gate) guards(service string) bool {
	switch service {
	case connectorv1.ConnectorService_ServiceDesc.ServiceName:
		return true
	case healthv1.Health_ServiceDesc.ServiceName:
		return g.opts.Health == Guarded
	}
	return g.opts.Reflection == Guarded
}

// admitUnauthenticated counts an unauthenticated call. It refuses compressed requests, whose few KB may expand to MaxRecvBytes.
func (g *gate) admitUnauthenticated(ctx context.Context) error {
	if stream, ok := grpc.ServerTransportStreamFromContext(ctx).(interface{ RecvCompress() string }); ok {
		if name := stream.RecvCompress(); name != "" && name != encoding.Identity {
			return refuse("This service accepts compressed requests only from callers with a credential: send the request uncompressed.")
		}
	}
	if g.unauthenticated.Add(1) > maxUnauthenticatedCalls {
		g.unauthenticated.Add(-1)
		return toStatus(tooManyReads("This server is serving too many callers without a credential: try again soon, or send a bearer token."), secrets{})
	}
	return nil
}

// refused logs a refusal, at a bounded rate, and counts it.
func (g *gate) refused(ctx context.Context, fullMethod string, err error) {
	g.opts.Observer.CallRefused()
	g.refusals.log(ctx, "refused a call", "peer.address", peerOf(ctx), "method", fullMethod, "error", status.Convert(err).Message())
}

// receive receives and decodes the request with decode, and stops the timer once it has arrived.
func (v *visit) receive(decode func(any) error, message any) error {
	if v.unauthenticated {
		select {
		case v.gate.requests <- struct{}{}:
			defer func() { <-v.gate.requests }()
		case <-v.ctx.Done():
			return v.ctx.Err()
		}
	}
	if err := decode(message); err != nil {
		return err
	}
	v.arrived()
	if exceedsBudget(message) {
		return toStatus(&connector.Failure{
			Class:   connector.ConfigError,
			Message: "The request has too many parts, or is nested too deeply: name each stream once, and select fewer streams in each Read.",
		}, secrets{})
	}
	return nil
}

func (v *visit) arrived() {
	if v.requestTimer != nil {
		v.requestTimer.Stop()
	}
}

func (v *visit) leave() {
	v.arrived()
	if v.unauthenticated {
		v.gate.unauthenticated.Add(-1)
	}
	if v.isConnector {
		v.gate.running.Add(-1)
	}
}

// stream is the interceptor for streaming calls. Interceptors that need the caller must come after it.
func (g *gate) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	v, err := g.enter(stream.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	defer v.leave()
	wrapped := middleware.WrapServerStream(stream)
	wrapped.WrappedContext = v.ctx
	return handle(srv, &visiting{wrapped, v})
}

// visiting is the stream of an admitted call.
type visiting struct {
	*middleware.WrappedServerStream
	visit *visit
}

// RecvMsg receives a message.
func (s *visiting) RecvMsg(m any) error { return s.visit.receive(s.WrappedServerStream.RecvMsg, m) }

// unary wraps handle, the handler of a unary method, with the gate. An interceptor can't do this because gRPC decodes the
// request of a unary call before it runs interceptors. They still see refused calls and requests that can't be decoded.
func (g *gate) unary(fullMethod string, handle grpc.MethodHandler) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
		failed := func(ctx context.Context, err error) (any, error) {
			info := &grpc.UnaryServerInfo{Server: srv, FullMethod: fullMethod}
			return intercept(ctx, nil, info, func(context.Context, any) (any, error) { return nil, err })
		}
		v, err := g.enter(ctx, fullMethod)
		if err != nil {
			return failed(ctx, err)
		}
		defer v.leave()
		var undecodable error
		decoded := func(message any) error {
			undecodable = v.receive(decode, message)
			return undecodable
		}
		resp, err := handle(srv, v.ctx, decoded, intercept)
		if undecodable != nil {
			return failed(v.ctx, undecodable)
		}
		return resp, err
	}
}

// gated is a service registrar that wraps the unary methods of services with the gate.
type gated struct {
	*grpc.Server
	gate *gate
}

// RegisterService registers a service.
func (s gated) RegisterService(desc *grpc.ServiceDesc, implementation any) {
	behind := *desc
	behind.Methods = make([]grpc.MethodDesc, len(desc.Methods))
	for i, method := range desc.Methods {
		behind.Methods[i] = grpc.MethodDesc{
			MethodName: method.MethodName,
			Handler:    s.gate.unary("/"+desc.ServiceName+"/"+method.MethodName, method.Handler),
		}
	}
	s.Server.RegisterService(&behind, implementation)
}
