package client

import (
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/health" // client-side health checks, as configured in serviceConfig
	"google.golang.org/grpc/keepalive"
)

const (
	// maxMessage is the maximum size of a message. The server packs messages of 256 KiB; a larger object is sent alone.
	maxMessage = 16 << 20
	// Static windows bound the memory that a slow reader needs; gRPC's dynamic windows grow to 16 MiB per stream. A
	// stream's window holds two messages of records, so the service can send one while the client handles another.
	streamWindow     = 512 << 10
	connectionWindow = 2 << 20
	// readBuffer is the size of a connection's read buffer: half a message of records. It takes a quarter of the
	// system calls of gRPC's default of 32 KiB.
	readBuffer = 128 << 10
	// A Read receives a message at least every 10 s, so pings are sent only if something is wrong.
	keepaliveTime    = 30 * time.Second
	keepaliveTimeout = 20 * time.Second
)

// serviceConfig makes gRPC balance calls over the replicas behind a name, avoid replicas that are shutting down, and
// retry unary calls. It deliberately doesn't retry Read: gRPC would restart it from the same state, whereas
// [Client.Read] and [Client.Sync] resume it from the last stored state.
const serviceConfig = `{
	"loadBalancingConfig":[{"round_robin":{}}],
	"healthCheckConfig":{"serviceName":"connector.v1.ConnectorService"},
	"methodConfig":[{
	"name":[
		{"service":"connector.v1.ConnectorService","method":"Spec"},
		{"service":"connector.v1.ConnectorService","method":"Check"},
		{"service":"connector.v1.ConnectorService","method":"Discover"}],
	"retryPolicy":{"maxAttempts":4,"initialBackoff":"0.2s","maxBackoff":"2s","backoffMultiplier":2,
		"retryableStatusCodes":["UNAVAILABLE"]}}]}`

// Options configure a connection. The zero value means plaintext for a target on this machine, and TLS with the
// system's certificate authorities for any other target, since every request contains the configuration, and with it
// the API key.
type Options struct {
	// CAFile is a PEM file of the certificate authorities to trust instead of the system's. If set, TLS is used even for a
	// target on this machine.
	CAFile string
	// CertFile and KeyFile are PEM files of a client certificate and its key, for a service that requires one (mutual
	// TLS). If set, TLS is used even for a target on this machine. The files are re-read for each connection, so they
	// can be replaced at any time.
	CertFile, KeyFile string
	// ServerName is the name that the service's certificate must have. Empty means the target's host.
	ServerName string
	// Token is sent with each call as "authorization: Bearer TOKEN". It is never sent in plaintext to another machine.
	Token string
	// TokenFile is a file with the token. It is re-read for each call, so it can be replaced at any time.
	TokenFile string
	// Credentials secure the connection in another way, instead of the files above.
	Credentials credentials.TransportCredentials
	// DialOptions are applied after those of this package.
	DialOptions []grpc.DialOption
}

// Format implements [fmt.Formatter] without the token, for every verb.
func (o Options) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "{CAFile:%s CertFile:%s ServerName:%s TokenFile:%s}", o.CAFile, o.CertFile, o.ServerName, o.TokenFile)
}

// LogValue implements [slog.LogValuer] without the token.
func (o Options) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(o)) }

// MarshalText implements [encoding.TextMarshaler] without the token; JSON, XML and YAML use it.
func (o Options) MarshalText() ([]byte, error) { return []byte(fmt.Sprint(o)), nil }

// Dial returns a client of the service at target, which is "host:port" or any other gRPC target. It doesn't wait for the
// connection. The caller closes the client.
//
// If a name has several addresses, such as that of a headless service in Kubernetes, calls are balanced: each goes to
// the next healthy replica, and a Read resumes on another replica if its own shuts down.
func Dial(target string, opts Options) (*Client, error) {
	creds, err := opts.transport(target)
	if err != nil {
		return nil, fmt.Errorf("dial %q: %w", target, err)
	}
	dialOptions := []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithStaticStreamWindowSize(streamWindow),
		grpc.WithStaticConnWindowSize(connectionWindow),
		grpc.WithReadBufferSize(readBuffer),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime, Timeout: keepaliveTimeout}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithDefaultServiceConfig(serviceConfig),
	}
	if opts.Token != "" || opts.TokenFile != "" {
		token, err := opts.token(target, creds)
		if err != nil {
			return nil, fmt.Errorf("dial %q: %w", target, err)
		}
		dialOptions = append(dialOptions, grpc.WithPerRPCCredentials(token))
	}
	conn, err := grpc.NewClient(target, append(dialOptions, opts.DialOptions...)...)
	if err != nil {
		return nil, fmt.Errorf("dial %q: %w", target, err)
	}
	c := New(conn)
	c.close = conn.Close
	return c, nil
}

// isLocal reports whether target is known to be on this machine.
func isLocal(target string) bool {
	if strings.HasPrefix(target, "unix:") || strings.HasPrefix(target, "unix-abstract:") {
		return true
	}
	if u, err := url.Parse(target); err == nil && u.Host == "" && strings.HasPrefix(u.Path, "/") {
		target = u.Path[1:] // as in dns:///localhost:50051
	}
	host := strings.TrimPrefix(target, "dns:")
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host = host[:i]
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || (err == nil && addr.IsLoopback())
}
