package main

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime/debug"
	"runtime/pprof"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/server"
)

// newServeWorker returns a worker that runs the service like `stripe-connector serve`.
func newServeWorker() worker {
	var profile *os.File
	source := &mortal{}
	return worker{
		"start": handler(func(ctx context.Context, apiBase string) (string, error) {
			debug.SetGCPercent(server.GCPercent)
			source.Source = stripe.New(stripe.Options{AllowedAPIBases: []string{apiBase}})
			return serve(ctx, source, server.Options{})
		}),
		"kill": handler(source.obey),
		"profile": handler(func(_ context.Context, path string) (struct{}, error) {
			var err error
			if profile, err = os.Create(path); err != nil {
				return struct{}{}, err
			}
			return struct{}{}, pprof.StartCPUProfile(profile)
		}),
		"profiled": handler(func(context.Context, struct{}) (struct{}, error) {
			if profile == nil {
				return struct{}{}, errors.New("no profile was started")
			}
			pprof.StopCPUProfile()
			return struct{}{}, profile.Close()
		}),
	}
}

// serve serves on a free port until the process ends. It returns the address.
func serve(ctx context.Context, source connector.Source, options server.Options) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() { _ = server.New(source, options).Serve(listener) }() // until the process ends
	return listener.Addr().String(), nil
}
