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

// Server is a simulated Stripe that listens on a free port of the loopback interface.
type Server struct {
	*Stripe
	// URL is the base URL, such as "http://127.0.0.1:41234".
	URL string

	http http.Server
	done sync.WaitGroup
}

// NewServer starts a server. The caller closes it. It panics where no port can be had, as net/http/httptest does.
func NewServer(options Options) *Server {
	server, err := Listen("127.0.0.1:0", options)
	if err != nil {
		panic(fmt.Sprintf("stripetest: %v", err))
	}
	return server
}

// Listen starts a server on an address, which must be one of the loopback interface.
func Listen(address string, options Options) (*Server, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", address, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("listen on %q: a simulated Stripe listens on the loopback interface only", address)
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &Server{Stripe: New(options), URL: "http://" + listener.Addr().String()}
	s.http = http.Server{Handler: s.Stripe, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(discard{}, "", 0)}
	s.done.Go(func() {
		// Serve returns when Close closes the listener; there is nothing else to report.
		_ = s.http.Serve(listener)
	})
	return s, nil
}

// Close stops the server, its connections and requests that hang.
func (s *Server) Close() {
	s.Stripe.Close()
	// The listener is closed either way; that closing it failed would change nothing.
	_ = s.http.Close()
	s.done.Wait()
}

// discard drops what net/http logs about connections that faults cut.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
