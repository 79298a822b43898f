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
	_ "google.golang.org/grpc/health" // asks replicas whether they take calls, as serviceConfig says
	"google.golang.org/grpc/keepalive"
)

const (
	// maxMessage is the largest message taken. The server packs messages of 256 KiB; a single larger object comes alone.
	maxMessage = 16 << 20
	// Static windows bound what a slow reader makes the client hold; gRPC's dynamic ones grow to 16 MiB per stream. Two
	// messages of records fit into a stream's, so that the service writes one at once while another is being taken.
	streamWindow     = 512 << 10
	connectionWindow = 2 << 20
	// readBuffer is what a connection reads at once: half a message of records, for a quarter of the system calls of gRPC's
	// 32 KiB.
	readBuffer = 128 << 10
	// A Read sends a heartbeat every 10 s, so a ping is sent only when something is wrong.
	keepaliveTime    = 30 * time.Second
	keepaliveTimeout = 20 * time.Second
)

// serviceConfig has gRPC spread calls over the replicas that a name stands for, leave out those that say they end, and
// try the calls again that are answered at once. Read is absent from these on purpose: gRPC or an interceptor would begin
// it from the same state again, whereas Read and Sync of this package resume it from the last one stored.
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

// Options are the settings of a connection. The zero value works: plaintext to a target on this machine, and TLS with the
// system's certificate authorities to any other, since every request carries the configuration and so the API key.
type Options struct {
	// CAFile is a PEM file of the certificate authorities to trust instead of the system's. It asks for TLS, also to a
	// target on this machine.
	CAFile string
	// CertFile and KeyFile are PEM files of a certificate to show to a service that asks for one (mutual TLS), and of its
	// key. They are read anew for each connection, so that they may be replaced. They ask for TLS, too.
	CertFile, KeyFile string
	// ServerName is the name that the service's certificate must have. Empty means the target's host.
	ServerName string
	// Token is sent with each call as "authorization: Bearer TOKEN". It is never sent in plaintext to another machine.
	Token string
	// TokenFile is a file with the token instead, which is read anew for each call, so that it may be replaced.
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

// Dial makes a client of the service at target, which is "host:port" or any target that gRPC understands. It does not
// wait for the connection. The caller closes the client.
//
// A name that stands for several addresses, such as that of a headless service in Kubernetes, is balanced: each call goes
// to the next replica that is healthy, and a Read that its replica ends goes on at another.
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

// local tells whether a target certainly is on this machine.
func local(target string) bool {
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
