package main

import (
	"context"
	"fmt"
)

// simulated is the parent's handle of a child process that runs a simulated Stripe.
type simulated struct {
	*child
	url string
}

// simulateData is like simulate, for a dataset whose lists are checked and rendered in advance.
func (b *bench) simulateData(ctx context.Context, data dataset, w world) (*simulated, error) {
	w.Objects = data
	s, err := b.simulate(ctx, w)
	if err != nil {
		return nil, err
	}
	var counts map[string]int
	err = s.do("count", data.paths(), &counts)
	for path, n := range data {
		if err == nil && counts[path] != n {
			err = fmt.Errorf("the simulated Stripe has %d objects of %s instead of %d", counts[path], path, n)
		}
	}
	if err == nil {
		err = s.reset()
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// simulate starts a simulated Stripe. The caller must stop it.
func (b *bench) simulate(ctx context.Context, w world) (*simulated, error) {
	c, err := b.start(ctx, "stripe")
	if err != nil {
		return nil, err
	}
	s := &simulated{child: c}
	if err := c.do("start", w, &s.url); err != nil {
		c.stop()
		return nil, err
	}
	return s, nil
}

func (s *simulated) reset() error { return s.do("reset", struct{}{}, nil) }

func (s *simulated) log() (log []request, err error) {
	err = s.do("log", struct{}{}, &log)
	return log, err
}

func (s *simulated) pages(paths []string) (pages []string, err error) {
	err = s.do("pages", paths, &pages)
	return pages, err
}
