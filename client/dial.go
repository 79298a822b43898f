package client

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

const (
	// maxMessage is the largest message taken. The server packs messages of 64 KiB; a single larger object comes alone.
	maxMessage = 16 << 20
	// Static windows bound what a slow reader makes the client hold; gRPC's dynamic ones grow to 16 MiB per stream.
	streamWindow     = 128 << 10
	connectionWindow = 1 << 20
	// A Read sends a heartbeat every 10 s, so a ping is sent only when something is wrong.
	keepaliveTime    = 30 * time.Second
	keepaliveTimeout = 20 * time.Second
)

// serviceConfig has gRPC try the calls again that are answered at once. Read is absent on purpose: gRPC or an interceptor
// would begin it from the same state again, whereas Sync resumes it from the last one stored.
const serviceConfig = `{"methodConfig":[{
	"name":[
		{"service":"connector.v1.ConnectorService","method":"Spec"},
		{"service":"connector.v1.ConnectorService","method":"Check"},
		{"service":"connector.v1.ConnectorService","method":"Discover"}],
	"retryPolicy":{"maxAttempts":4,"initialBackoff":"0.2s","maxBackoff":"2s","backoffMultiplier":2,
		"retryableStatusCodes":["UNAVAILABLE"]}}]}`

// Options are the settings of a connection. The zero value works.
type Options struct {
	// Credentials secure the connection. Nil means plaintext to a target on this machine and TLS with the system's
	// certificate authorities to any other, since every request carries the configuration and so the API key.
	Credentials credentials.TransportCredentials
	// DialOptions are applied after those of this package.
	DialOptions []grpc.DialOption
}

// Dial makes a client of the service at target, which is "host:port" or any target that gRPC understands. It does not
// wait for the connection. The caller closes the client.
func Dial(target string, opts Options) (*Client, error) {
	creds := opts.Credentials
	if creds == nil {
		creds = credentials.NewTLS(nil)
		if local(target) {
			creds = insecure.NewCredentials()
		}
	}
	dialOptions := append([]grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithStaticStreamWindowSize(streamWindow),
		grpc.WithStaticConnWindowSize(connectionWindow),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime, Timeout: keepaliveTimeout}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithDefaultServiceConfig(serviceConfig),
	}, opts.DialOptions...)
	conn, err := grpc.NewClient(target, dialOptions...)
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
