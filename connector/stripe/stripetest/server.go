package stripetest

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// Server is a simulated Stripe that listens on a loopback address.
type Server struct {
	*Stripe
	// URL is the base URL, for example "http://127.0.0.1:41234".
	URL string

	http http.Server
	done sync.WaitGroup
}

// NewServer starts a Server on a free port. The caller must close it. It panics if no port is available, like
// net/http/httptest.
func NewServer(options Options) *Server {
	server, err := Listen("127.0.0.1:0", options)
	if err != nil {
		panic(fmt.Sprintf("stripetest: %v", err))
	}
	return server
}

// Listen starts a Server on the given address, which must be a loopback address.
func Listen(address string, options Options) (*Server, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", address, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("listen on %q: a simulated Stripe requires a loopback address", address)
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &Server{Stripe: New(options), URL: "http://" + listener.Addr().String()}
	s.http = http.Server{Handler: s.Stripe, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(discard{}, "", 0)}
	s.done.Go(func() {
		// Serve returns when Close closes the listener; its error is of no interest.
		_ = s.http.Serve(listener)
	})
	return s, nil
}

// Close stops the server, closes its connections, and ends hanging requests.
func (s *Server) Close() {
	s.Stripe.Close()
	// The listener is closed even if Close returns an error.
	_ = s.http.Close()
	s.done.Wait()
}

// discard drops what net/http logs about connections cut by faults.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
