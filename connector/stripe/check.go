package stripe

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// parallelProbes is how many endpoints are probed side by side: a sandbox allows 25 requests per second.
const parallelProbes = 8

// probeRetry is less patient than a Read: a person waits for the answer.
var probeRetry = api.Retry{Max: 4 * time.Second, Budget: 10 * time.Second, Attempt: 20 * time.Second}

// Check tells whether a configuration works, and which streams its key may read.
func (s *Source) Check(ctx context.Context, req connector.CheckRequest) (connector.CheckResult, error) {
	c, err := s.parseConfig(req.Config)
	if err != nil {
		return failed(err)
	}
	names := req.Streams
	if len(names) == 0 {
		names = s.streams.names()
	}
	for i, name := range names {
		if s.streams.find(name) == nil {
			return connector.CheckResult{}, connector.Invalid(connector.Violation{
				Field:       fmt.Sprintf("streams[%d]", i),
				Description: fmt.Sprintf("is %s, which is no stream.%s", echo(name), suggest(name, s.streams.names())),
			})
		}
	}
	availability, err := s.probe(ctx, c, names)
	if err != nil {
		return failed(err)
	}
	return connector.CheckResult{
		Streams:           availability,
		AccountAttributes: map[string]string{"mode": c.mode()},
		Problems:          nothingToRead(availability),
	}, nil
}

// failed makes a result of a failure. Only a context's error, or a bug, stays an error.
func failed(err error) (connector.CheckResult, error) {
	failure, ok := asFailure(err)
	if !ok || failure.Class == connector.System {
		return connector.CheckResult{}, err
	}
	return connector.CheckResult{Problems: []*connector.Failure{failure}}, nil
}

// nothingToRead is the problem of a key that may read none of the streams, as far as could be found out.
func nothingToRead(availability []connector.StreamAvailability) []*connector.Failure {
	for _, a := range availability {
		if a.Availability == connector.Available {
			return nil
		}
	}
	return []*connector.Failure{availability[0].Reason}
}

// probe asks Stripe for one object of each endpoint that the streams need, side by side. A failure that concerns an
// endpoint alone is the answer of its streams; one that concerns the key or the way to Stripe is the error.
func (s *Source) probe(ctx context.Context, c config, names []string) ([]connector.StreamAvailability, error) {
	client := s.client(c, probeRetry)
	var mu sync.Mutex
	answers := map[string]error{} // by path: streams of one endpoint share it
	answered := false             // Stripe is there: whatever fails after that concerns its endpoint
	probes, probesCtx := errgroup.WithContext(ctx)
	probes.SetLimit(parallelProbes)
	for _, row := range s.streams.toProbe(names) {
		probes.Go(func() error {
			err := row.probe(probesCtx, client, c.mode())
			mu.Lock()
			defer mu.Unlock()
			answers[row.Path] = err
			answered = answered || !isTransient(err)
			if !answered {
				return err
			}
			return concernsAll(err)
		})
	}
	if err := probes.Wait(); err != nil {
		return nil, err
	}
	result := make([]connector.StreamAvailability, len(names))
	for i, name := range names {
		var err error
		for row := s.streams.find(name); row != nil && err == nil; row = s.streams.find(row.Parent) {
			err = answers[row.Path]
		}
		result[i] = availability(name, err)
	}
	return result, nil
}

// toProbe lists one stream of each endpoint that must be asked to know of these streams: their own, and all above.
// Where the parent's objects carry the first children, asking the parent's endpoint is enough.
func (t table) toProbe(names []string) []*stream {
	var rows []*stream
	for _, name := range names {
		for row := t.find(name); row != nil; row = t.find(row.Parent) {
			known := slices.ContainsFunc(rows, func(other *stream) bool { return other.Path == row.Path })
			if !known && row.Embedded == "" {
				rows = append(rows, row)
			}
		}
	}
	return rows
}

// probe asks for one object. Children are asked of a parent that does not exist: Stripe looks at the key's permissions
// before it looks for the parent.
func (s *stream) probe(ctx context.Context, client *api.Client, mode string) error {
	if s.TestOnly && mode == "live" {
		return testOnly()
	}
	path, query := s.list(place{parent: nobody, across: nobody.ID, to: 1})
	for name := range s.ParentParams {
		query.Set(name, nobody.ID)
	}
	if !s.Unpaged {
		query.Set("limit", "1")
	}
	_, err := client.List(ctx, path, query)
	if api.HasNone(err) || s.RefusedByParent && err != nil && concernsAll(err) == nil {
		return nil
	}
	return err
}

// nobody is a parent that does not exist.
var nobody = rawjson.CutObject(`{"id":"nobody"}`)

// concernsAll gives err if it says more about the key, or the way to Stripe, than about one endpoint.
func concernsAll(err error) error {
	failure, ok := asFailure(err)
	if !ok {
		return err
	}
	switch failure.Class {
	case connector.AuthError, connector.ConfigError, connector.RateLimit:
		return err
	case connector.Transient, connector.PermissionError, connector.SourceData, connector.System:
	}
	return nil
}

func isTransient(err error) bool {
	failure, ok := asFailure(err)
	return ok && failure.Class == connector.Transient
}

func availability(name string, err error) connector.StreamAvailability {
	if err == nil {
		return connector.StreamAvailability{Stream: name, Availability: connector.Available}
	}
	reason := *connector.AsFailure(err)
	reason.Stream = name
	if reason.Class == connector.PermissionError {
		return connector.StreamAvailability{Stream: name, Availability: connector.Unavailable, Reason: &reason}
	}
	return connector.StreamAvailability{Stream: name, Availability: connector.AvailabilityUnknown, Reason: &reason}
}
