package stripe

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/config"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// parallelProbes is how many endpoints are probed side by side: a sandbox allows 25 requests per second.
const parallelProbes = 8

// probeRetry is less patient than a Read: a person waits for the answer.
var probeRetry = api.Retry{Max: 4 * time.Second, Budget: 10 * time.Second, Attempt: 20 * time.Second}

// probe asks Stripe for one object of each endpoint that the streams need, side by side. A failure that concerns an
// endpoint alone is the answer of its streams; one that concerns the key or the way to Stripe is the error.
func (s *Source) probe(ctx context.Context, c config.Config, names []string) ([]connector.StreamAvailability, error) {
	client := s.client(c, probeRetry)
	var mu sync.Mutex
	answers := map[string]error{} // by path: streams of one endpoint share it
	answered := false             // Stripe is there: whatever fails after that concerns its endpoint
	probes, probesCtx := emit.NewGroup(ctx)
	probes.SetLimit(parallelProbes)
	for _, row := range toProbe(s.streams, names) {
		probes.Go(func() error {
			err := probe(probesCtx, client, row, c.Mode())
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
		return nil, emit.Final(err)
	}
	result := make([]connector.StreamAvailability, len(names))
	for i, name := range names {
		var err error
		for row := s.streams.Find(name); row != nil && err == nil; row = s.streams.Find(row.Parent) {
			err = answers[row.Path]
		}
		result[i] = availability(name, err)
	}
	return result, nil
}

// toProbe returns one stream of each endpoint that must be asked to know whether these streams may be read: their own, and all
// above. Where the parent's objects embed the first children, the parent's endpoint is enough.
func toProbe(t table.Table, names []string) []*table.Stream {
	var rows []*table.Stream
	for _, name := range names {
		for row := t.Find(name); row != nil; row = t.Find(row.Parent) {
			known := slices.ContainsFunc(rows, func(other *table.Stream) bool { return other.Path == row.Path })
			if !known && row.Embedded == "" {
				rows = append(rows, row)
			}
		}
	}
	return rows
}

// probe asks for one object. Children are asked of a parent that does not exist: Stripe looks at the key's permissions
// before it looks for the parent.
func probe(ctx context.Context, client *api.Client, row *table.Stream, mode string) error {
	if row.TestOnly && mode == "live" {
		return table.ErrTestOnly()
	}
	path, query := row.List(table.Place{Parent: nobody, Across: nobody.ID, To: 1})
	for name := range row.ParentParams {
		query.Set(name, nobody.ID)
	}
	if !row.Unpaged {
		query.Set("limit", "1")
	}
	_, err := client.List(ctx, path, query)
	if api.HasNone(err) || row.RefusedByParent && err != nil && concernsAll(err) == nil {
		return nil
	}
	return err
}

// nobody is a parent that does not exist.
var nobody = rawjson.CutObject(`{"id":"nobody"}`)

// concernsAll returns err if it says more about the key, or the way to Stripe, than about one endpoint.
func concernsAll(err error) error {
	failure, ok := connector.FailureIn(err)
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
	failure, ok := connector.FailureIn(err)
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
