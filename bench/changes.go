package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// manyChanges is the number of objects that change between two incremental Reads.
const manyChanges = 1000

// changing returns the lists whose objects change. Each change has one event, and rows have no columns that events omit.
func changing() []string {
	return []string{"charges", "customers", "disputes", "invoices", "payment_intents", "payouts", "products", "promotion_codes", "topups", "transfers"}
}

// changes counts the requests of incremental Reads, with no changes and with many.
func changes(ctx context.Context, _ *bench) (section, error) {
	t := table{head: []string{"incremental read", "requests", "minimum", "ratio"}}
	var worst float64
	for _, c := range []struct {
		name     string
		version  string // api_version
		streams  []string
		changes  int
		expected func(pages, objects int) int
	}{
		{"all streams with events, no changes", newest, nil, 0, func(int, int) int { return 1 }},
		{"ten streams, 1,000 changes, api_version: the account's", newest, changing(), manyChanges, func(pages, _ int) int { return pages }},
		{"ten streams, 1,000 changes, api_version: account", "account", changing(), manyChanges, func(pages, _ int) int { return pages + 1 }},
		{"ten streams, 1,000 changes, api_version: another one", "2023-10-16", changing(), manyChanges, func(pages, objects int) int { return pages + objects }},
	} {
		took, objects, err := countChanges(ctx, c.version, c.streams, c.changes)
		if err != nil {
			return section{}, fmt.Errorf("%s: %w", c.name, err)
		}
		minimum := c.expected((c.changes+99)/100, objects)
		each := ratio(float64(took), float64(minimum))
		worst = max(worst, each)
		t.add(c.name, fmt.Sprint(took), fmt.Sprint(minimum), times(each))
	}
	return section{
		setting: "The account's API version is " + newest + ". Everything is read once. Then one object changes in each second of the clock that the simulated Stripe and the source share, taken from each list in turn. Then everything is read incrementally.",
		tables:  []table{t},
		remarks: []string{"The minimum is one request per 100 events, at least one. If api_version is account, add the request that asks for it. If the connector reads another API version than the account's, in which Stripe writes the payloads of events, add one request for each object that changed, however often it did."},
		targets: []target{atMost("requests of incremental reads, against the minimum: the worst", worst, 1.05, times)},
	}, nil
}

// newest is the newest API version, which the simulated account uses.
var newest = schema.Newest().Version

// countChanges returns the number of requests of an incremental Read after n changes, and the number of objects that
// changed. The source runs in this process, since only its requests to Stripe count.
func countChanges(ctx context.Context, version string, streams []string, n int) (requests, objects int, err error) {
	clock := time.Now().UTC().Truncate(time.Second)
	now := func() time.Time { return clock }
	s := stripetest.NewServer(stripetest.Options{Now: now, AccountVersion: newest, Objects: map[string]int{"*": 150}})
	defer s.Close()
	source := stripe.New(stripe.Options{AllowedAPIBases: []string{s.URL}, Now: now})
	config := connector.NewConfig(fmt.Sprintf(`{"api_key":"sk_test_123","api_base":%q,"api_version":%q,"max_requests_per_second":10000}`, s.URL, version))
	req := connector.ReadRequest{Config: config}
	if req.Streams, err = incremental(ctx, source, config, streams); err != nil {
		return 0, 0, err
	}
	latest := states{}
	if _, err := source.Read(ctx, req, latest); err != nil {
		return 0, 0, err
	}
	clock = clock.Add(10 * time.Minute) // after the overlap of the first Read
	changed := map[string]bool{}
	ids := make([][]string, len(streams))
	for i, name := range streams {
		for id := range s.Truth("/v1/" + name) {
			ids[i] = append(ids[i], id)
		}
	}
	for i := range n {
		of := ids[i%len(ids)]
		id := of[i/len(ids)%60] // most objects change more than once
		changed[streams[i%len(ids)]+id] = true
		if err := s.Update(id); err != nil {
			return 0, 0, err
		}
		clock = clock.Add(time.Second)
	}
	clock = clock.Add(time.Hour)
	req.States = latest.all()
	s.ResetRequests()
	_, err = source.Read(ctx, req, latest)
	return s.RequestCount(""), len(changed), err
}

// incremental selects the named streams, or all streams that have events if names is nil.
func incremental(ctx context.Context, source connector.Source, config connector.Config, names []string) ([]connector.ConfiguredStream, error) {
	catalog, err := source.Discover(ctx, connector.DiscoverRequest{Config: config})
	if err != nil {
		return nil, err
	}
	var selected []connector.ConfiguredStream
	for _, stream := range catalog.Streams {
		if slices.Contains(names, stream.Name) || names == nil && stream.Freshness == connector.ByEvents {
			selected = append(selected, connector.ConfiguredStream{Stream: stream.Name, SyncMode: connector.Incremental})
		}
	}
	return selected, nil
}

// states is a sink that stores the last state of each stream.
type states map[string]connector.StreamState

// all returns all states.
func (s states) all() []connector.StreamState { return slices.Collect(maps.Values(s)) }

// Send implements connector.Sink.
func (s states) Send(_ context.Context, m connector.Message) error {
	if checkpoint, ok := m.(*connector.StateCheckpoint); ok {
		s[checkpoint.Stream] = checkpoint.StreamState
	}
	return nil
}
