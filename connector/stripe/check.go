package stripe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
)

// parallelProbes is how many endpoints are probed side by side: a sandbox allows 25 requests per second.
const parallelProbes = 8

// probeRetry is less patient than a Read: a person waits for the answer.
var probeRetry = api.Retry{Max: 4 * time.Second, Budget: 15 * time.Second, Attempt: 20 * time.Second}

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
				Description: fmt.Sprintf("is %q, which is no stream.%s", name, suggest(name, s.streams.names())),
			})
		}
	}
	availability, err := s.probe(ctx, c, names)
	if err != nil {
		return failed(err)
	}
	return connector.CheckResult{
		Streams:  availability,
		LiveMode: c.mode() == "live",
		Problems: nothingToRead(availability),
	}, nil
}

// failed makes a result of a failure. Only a context's error, or a bug, stays an error.
func failed(err error) (connector.CheckResult, error) {
	failure, ok := errors.AsType[*connector.Failure](err)
	if !ok || failure.Class == connector.System {
		return connector.CheckResult{}, err
	}
	return connector.CheckResult{Problems: []*connector.Failure{failure}}, nil
}

// nothingToRead is the problem of a key that may read none of the streams.
func nothingToRead(availability []connector.StreamAvailability) []*connector.Failure {
	for _, a := range availability {
		if a.Availability != connector.Unavailable {
			return nil
		}
	}
	return []*connector.Failure{availability[0].Reason}
}

// probe asks Stripe for one object of each stream's endpoint. A failure that concerns a stream alone is its answer; one
// that concerns the key or the way to Stripe is the error.
func (s *Source) probe(ctx context.Context, c config, names []string) ([]connector.StreamAvailability, error) {
	client := s.client(c, probeRetry)
	endpoints := map[*stream]error{}
	for _, name := range names {
		endpoints[s.streams.root(s.streams.find(name))] = nil
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(parallelProbes)
	answers := make(chan func(), len(endpoints))
	for root := range endpoints {
		group.Go(func() error {
			path, query := root.list("")
			query.Set("limit", "1")
			_, err := client.List(groupCtx, path, query)
			answers <- func() { endpoints[root] = err }
			return concernsAll(err)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	close(answers)
	for note := range answers {
		note()
	}
	result := make([]connector.StreamAvailability, len(names))
	for i, name := range names {
		result[i] = availability(name, endpoints[s.streams.root(s.streams.find(name))])
	}
	return result, nil
}

// concernsAll gives err if it says more about the key, or the way to Stripe, than about one endpoint.
func concernsAll(err error) error {
	failure, ok := errors.AsType[*connector.Failure](err)
	if ok && (failure.Class == connector.PermissionError || failure.HTTPStatus >= 500) {
		return nil
	}
	return err
}

func availability(name string, err error) connector.StreamAvailability {
	a := connector.StreamAvailability{Stream: name, Availability: connector.Available}
	if err == nil {
		return a
	}
	reason := *connector.AsFailure(err)
	reason.Stream = name
	a.Reason, a.Availability = &reason, connector.AvailabilityUnknown
	if reason.Class == connector.PermissionError {
		a.Availability = connector.Unavailable
	}
	return a
}
