package api

import (
	"fmt"
	"net/http"
	"time"
)

// readBuffer is how much a connection reads ahead: the headers, and small answers as a whole. The rest of a large one is
// read straight into the buffer that it is cut in.
const readBuffer = 16 << 10

// NewTransport returns a transport that keeps enough connections to fill Stripe's rate, speaks HTTP/2 where it is
// offered, and refuses every method but GET. Make one for the process and share it.
func NewTransport() http.RoundTripper { return ReadOnly(newTransport()) }

func newTransport() *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns = 256
	transport.MaxIdleConnsPerHost = 128
	transport.ReadBufferSize = readBuffer
	transport.ResponseHeaderTimeout = 80 * time.Second // Stripe's own libraries wait that long
	transport.OnProxyConnectResponse = connected
	return transport
}

// ReadOnly returns a transport that refuses every method but GET, whatever the code above it does.
func ReadOnly(next http.RoundTripper) http.RoundTripper { return readOnly{next} }

type readOnly struct{ next http.RoundTripper }

func (t readOnly) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet {
		return nil, fmt.Errorf("refused %s %s: this connector only ever reads", req.Method, req.URL.Path)
	}
	return t.next.RoundTrip(req)
}

// CloseIdleConnections lets http.Client reach the transport below.
func (t readOnly) CloseIdleConnections() {
	if closer, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}
