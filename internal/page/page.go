// Package page serves a program's metrics, health and profiles over HTTP, without authentication.
package page

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/stripe-connector/stripe-connector/server"
)

// mostWatchers is the maximum number of connections to --metrics-listen.
const mostWatchers = 64

// Listen listens on the address given by --metrics-listen.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen: choose another address with --metrics-listen: %w", err)
	}
	return server.LimitListener(listener, mostWatchers), nil
}

// New returns a server for the page. Its timeouts bound how long a slow or silent client holds a connection.
func New(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      2 * time.Minute, // a profile takes a while
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}

// Serve serves until page is closed.
func Serve(page *http.Server, listener net.Listener) error {
	if err := page.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}
