package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// changedPaths are the lists in which --changes makes changes.
var changedPaths = []string{"/v1/customers", "/v1/charges", "/v1/invoices", "/v1/subscriptions", "/v1/products", "/v1/prices", "/v1/coupons"}

// rate returns the number of changes per second.
func (s *simulated) rate() (float64, error) {
	if s.changes == "" {
		return 0, nil
	}
	number, unit, _ := strings.Cut(s.changes, "/")
	n, err := strconv.ParseFloat(number, 64)
	per, known := map[string]float64{"": 1, "s": 1, "m": 60, "h": 3600}[unit]
	if err != nil || !known || n < 0 || n > 10_000 {
		return 0, fmt.Errorf("--changes must be a rate such as 5/s, 30/m or 100/h, got %q", s.changes)
	}
	return n / per, nil
}

// denied returns the list paths of the streams that --deny makes unreadable.
func (s *simulated) denied() ([]string, error) {
	var paths []string
	for _, name := range s.deny {
		stream := table.Known().Find(name)
		if stream == nil {
			return nil, fmt.Errorf("--deny must name a stream, got %q: `stripe-connector discover` lists them", name)
		}
		paths = append(paths, strings.ReplaceAll(stream.Path, "{across}", "{meter}"))
	}
	return paths, nil
}

// live makes changes, and serves the truth, until ctx is done.
func (s *simulated) live(ctx context.Context, a *app, stripe *stripetest.Server) error {
	rate, err := s.rate()
	if err != nil {
		return err
	}
	running, ctx := errgroup.WithContext(ctx)
	if rate > 0 {
		running.Go(func() error {
			_, err := stripe.Traffic(s.seed, changedPaths...).Run(ctx, rate)
			return err
		})
	}
	if s.truth != "" {
		listener, err := listenLoopback(ctx, s.truth)
		if err != nil {
			return err
		}
		writeLine(a.stderr, "The truth is at http://%s, such as http://%s/v1/charges", listener.Addr(), listener.Addr())
		page := &http.Server{Handler: truthOf(stripe), ReadHeaderTimeout: time.Minute}
		running.Go(func() error {
			if err := page.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
		context.AfterFunc(ctx, func() { _ = page.Close() })
	}
	running.Go(func() error { <-ctx.Done(); return nil })
	return running.Wait()
}

// listenLoopback listens on an address, which must be a loopback address.
func listenLoopback(ctx context.Context, address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("--truth must be an address such as 127.0.0.1:12112, got %q", address)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("--truth must be a loopback address such as 127.0.0.1:12112, got %q", address)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen: choose another address with --truth: %w", err)
	}
	return listener, nil
}

// truthOf returns a handler that responds with every object that a complete read of a list must find, one per line.
// The request's path is the list's.
func truthOf(stripe *stripetest.Server) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(stripe.Paths(), r.URL.Path) {
			http.Error(w, "not the path of a list: request one such as /v1/charges", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		for _, object := range stripe.Truth(r.URL.Path) {
			if _, err := w.Write(append(object[:len(object):len(object)], '\n')); err != nil {
				return // the client disconnected
			}
		}
	})
}
