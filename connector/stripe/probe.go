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

// parallelProbes is the number of concurrent probes. A sandbox allows 25 requests per second.
const parallelProbes = 8

// probeRetry stops retrying sooner than a Read would, because a person is waiting for the answer: within ten seconds, if Stripe can't be
// reached.
var probeRetry = api.Retry{Max: 4 * time.Second, Budget: 8 * time.Second, Attempt: 9 * time.Second}

// probeRetry returns the retries of a probe: those of Reads, if these give up even sooner.
func (s *Source) probeRetry() api.Retry {
	if budget := s.options.Retry.Budget; budget != 0 && budget < probeRetry.Budget {
		return s.options.Retry
	}
	return probeRetry
}

// probe requests one object from each endpoint that the streams need, several at a time. An error of a single
// endpoint determines the availability of its streams; an error that affects the key or the connection is returned.
func (s *Source) probe(ctx context.Context, c config.Config, streams table.Table, names []string) ([]connector.StreamAvailability, error) {
	client := s.client(c, s.probeRetry())
	var mu sync.Mutex
	answers := map[string]error{} // by path, since several streams can share an endpoint
	answered := false             // Stripe has answered, so later failures are those of an endpoint
	probes, probesCtx := emit.NewGroup(ctx)
	probes.SetLimit(parallelProbes)
	for _, row := range rowsToProbe(streams, names) {
		probes.Go(func() error {
			err := probe(probesCtx, client, row, c.Mode())
			mu.Lock()
			defer mu.Unlock()
			answers[row.Path] = err
			answered = answered || !isTransient(err)
			if !answered {
				return err
			}
			return affectsAll(err)
		})
	}
	if err := probes.Wait(); err != nil {
		return nil, emit.Final(err)
	}
	result := make([]connector.StreamAvailability, len(names))
	for i, name := range names {
		var err error
		for row := streams.Find(name); row != nil && err == nil; row = streams.Find(row.Parent) {
			err = answers[row.Path]
		}
		result[i] = availability(name, err)
	}
	return result, nil
}

// rowsToProbe returns one row for each endpoint to probe: those of the named streams and of all their ancestors. If a
// parent's objects embed their first children, probing the parent is enough.
func rowsToProbe(t table.Table, names []string) []*table.Stream {
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

// probe requests one object. For a child stream it names a parent that doesn't exist: Stripe checks the key's
// permissions before it looks up the parent.
func probe(ctx context.Context, client *api.Client, row *table.Stream, mode string) error {
	if row.TestOnly && mode == "live" {
		return table.ErrTestOnly()
	}
	path, query := row.List(table.Place{Parent: noParent, Across: noParent.ID, To: 1})
	for name := range row.ParentParams {
		query.Set(name, noParent.ID)
	}
	var err error
	if row.Single {
		_, err = client.Single(ctx, path, query)
	} else {
		if !row.Unpaged {
			query.Set("limit", "1")
		}
		_, err = client.List(ctx, path, query)
	}
	if api.IsNotFound(err) || row.RefusedByParent && err != nil && affectsAll(err) == nil {
		return nil
	}
	return err
}

// noParent is a parent object that doesn't exist.
var noParent = rawjson.CutObject(`{"id":"nobody"}`)

// affectsAll returns err if it is about the key or the connection to Stripe rather than about one endpoint, and nil
// otherwise.
func affectsAll(err error) error {
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
