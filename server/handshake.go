package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"

	"google.golang.org/grpc/credentials"
)

// observedCredentials logs and counts failed handshakes. gRPC itself closes such connections silently.
type observedCredentials struct {
	credentials.TransportCredentials

	failures *sparse
	observer Observer
}

// ServerHandshake implements [credentials.TransportCredentials].
func (c *observedCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secured, info, err := c.TransportCredentials.ServerHandshake(conn)
	if err != nil {
		cause := handshakeCause(err)
		c.observer.HandshakeFailed(cause)
		c.failures.log(context.Background(), "a TLS handshake failed", "peer.address", conn.RemoteAddr().String(), "cause", cause, "error", err.Error())
	}
	return secured, info, err
}

// Clone implements [credentials.TransportCredentials].
func (c *observedCredentials) Clone() credentials.TransportCredentials {
	return &observedCredentials{c.TransportCredentials.Clone(), c.failures, c.observer}
}

// HandshakeCauses returns all values of the cause passed to [Observer].HandshakeFailed.
func HandshakeCauses() []string {
	return []string{
		"expired_certificate", "hung_up", "invalid_certificate", "no_certificate", "no_http2", "no_tls", "old_version", "other",
		"refused_by_client", "timeout", "unknown_authority",
	}
}

// handshakeCause returns the one of [HandshakeCauses] that matches err, for use as a metric label.
func handshakeCause(err error) string {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if invalid.Reason == x509.Expired {
			return "expired_certificate"
		}
		return "invalid_certificate"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "unknown_authority"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "no_tls"
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return "timeout"
	}
	text := err.Error()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), strings.Contains(text, "connection reset"):
		return "hung_up"
	case strings.Contains(text, "didn't provide a certificate"):
		return "no_certificate"
	case strings.Contains(text, "remote error"):
		return "refused_by_client"
	case strings.Contains(text, "unsupported versions"), strings.Contains(text, "protocol version"):
		return "old_version"
	case strings.Contains(text, "ALPN"), strings.Contains(text, "application protocol"):
		return "no_http2"
	}
	return "other"
}
