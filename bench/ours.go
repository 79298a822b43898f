package main

import (
	"context"
	"fmt"
	"path/filepath"
)

// service is the parent's handle of a child process that runs the connector's service.
type service struct {
	*child
	bench   *bench
	address string
}

// serve starts the service for a simulated Stripe. The caller must stop it.
func (b *bench) serve(ctx context.Context, apiBase string) (*service, error) {
	c, err := b.start(ctx, "serve")
	if err != nil {
		return nil, err
	}
	s := &service{child: c, bench: b}
	if err := c.do("start", apiBase, &s.address); err != nil {
		c.stop()
		return nil, err
	}
	return s, nil
}

// read reads with a client in another process. It returns what the client received, with the processor time and
// memory of the service. If name is not empty and profiles were requested, read writes a profile of the service.
func (s *service) read(ctx context.Context, o readOrder, name string) (delivery, error) {
	o.Target = s.address
	profiling := s.bench.profile != "" && name != ""
	if profiling {
		if err := s.do("profile", filepath.Join(s.bench.profile, name+".pprof"), nil); err != nil {
			return delivery{}, err
		}
	}
	var before, after usage
	if err := s.do("usage", struct{}{}, &before); err != nil {
		return delivery{}, err
	}
	var got delivery
	if err := s.bench.once(ctx, "read", "read", o, &got); err != nil {
		return delivery{}, err
	}
	if err := s.do("usage", struct{}{}, &after); err != nil {
		return delivery{}, err
	}
	if profiling {
		if err := s.do("profiled", struct{}{}, nil); err != nil {
			return delivery{}, err
		}
	}
	got.CPU, got.Peak = after.CPU-before.CPU, after.Peak
	return got, nil
}

// readWith starts a service for a single Read.
func (b *bench) readWith(ctx context.Context, o readOrder, name string) (delivery, error) {
	s, err := b.serve(ctx, o.APIBase)
	if err != nil {
		return delivery{}, err
	}
	defer s.stop()
	return s.read(ctx, o, name)
}

// complete returns an error if fewer records than objects were received.
func (d delivery) complete(data dataset) error {
	for path, n := range data {
		if got := d.ByStream[streamOf(path)]; got < n {
			return fmt.Errorf("received %d of %d objects of %s", got, n, path)
		}
	}
	return nil
}
