package api

import (
	"fmt"
	"net"
	"net/http"
	"time"
)

// readBuffer is how much a connection reads ahead: the headers, and small responses completely. The rest of a large
// response is read directly into the buffer that it is cut in.
const readBuffer = 16 << 10

// connectTimeout limits the time to resolve a name and connect, and the time of a TLS handshake. After three lost packets, a
// connection attempt is hopeless. Within ten seconds, a user then sees the cause.
const connectTimeout = 7 * time.Second

// NewTransport returns a transport that keeps enough connections to use Stripe's full rate, speaks HTTP/2 where offered,
// and rejects every method but GET. A process should create one and share it. Each change is applied to it first.
func NewTransport(changes ...func(*http.Transport)) http.RoundTripper {
	transport := newTransport()
	for _, change := range changes {
		change(transport)
	}
	return ReadOnly(transport)
}

func newTransport() *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns = 256
	transport.MaxIdleConnsPerHost = 128
	transport.ReadBufferSize = readBuffer
	transport.DialContext = (&net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}).DialContext
	transport.TLSHandshakeTimeout = connectTimeout
	transport.ResponseHeaderTimeout = 80 * time.Second // as long as in Stripe's own libraries
	transport.OnProxyConnectResponse = checkConnect
	return transport
}

// ReadOnly returns a transport that rejects every method but GET.
func ReadOnly(next http.RoundTripper) http.RoundTripper { return readOnly{next} }

type readOnly struct{ next http.RoundTripper }

func (t readOnly) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet {
		return nil, fmt.Errorf("%s %s rejected: this connector is read-only", req.Method, req.URL.Path)
	}
	return t.next.RoundTrip(req)
}

// CloseIdleConnections is called by http.Client, and forwards to the wrapped transport.
func (t readOnly) CloseIdleConnections() {
	if closer, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}
