package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stripe-connector/stripe-connector/client/destination/postgres/postgrestest"
)

// distantRoundTrip is the round-trip time to a distant database.
const distantRoundTrip = 50 * time.Millisecond

// warehouse is a destination to load into.
type warehouse struct {
	name, destination string
	slowDisk          bool
}

// loading reads under Stripe's limits into each kind of destination. Loading must not slow down reading.
func loading(ctx context.Context, b *bench) (section, error) {
	each := b.size(30_000, 5_000)
	data := dataset{}
	for _, path := range mainLists()[:4] {
		data[path] = each
	}
	stripe, err := b.simulateData(ctx, data, world{Latency: roundTrip, Limits: true})
	if err != nil {
		return section{}, err
	}
	defer stripe.stop()
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return section{}, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	warehouses, stop, err := warehousesIn(ctx, folder)
	if err != nil {
		return section{}, err
	}
	defer stop()
	result := table{head: []string{"into", "of the limit", "of reading alone", "client's processor time", "time", "peak memory of the client", "requests per second"}}
	s := section{
		setting: fmt.Sprintf("A first sync of %d objects in %s, as in the sections above. The share of the limit is of the requests that the limits "+
			"allow from one second after the first request, when the windows are known, to the last one. Processor time is that of the client per "+
			"record, as a ratio to a client that stores nothing. The slow disk takes %d ms for each commit and writes %d MiB/s; the round trip to the "+
			"distant database takes %d ms.",
			total(data), lists(len(data)), slowSync.Milliseconds(), slowBytes>>20, distantRoundTrip.Milliseconds()),
		remarks: []string{"The simulated Stripe, the service, the client and the database share this computer. If they keep it busy, a share below " +
			"that of reading alone is due to a lack of processors, not to commits that delay reading."},
	}
	var alone delivery
	var most float64 // the share when reading alone
	for _, w := range warehouses {
		got, log, err := b.loadInto(ctx, stripe, w, data)
		if err != nil {
			return section{}, fmt.Errorf("%s: %w", w.name, err)
		}
		share, perSecond := shareUsed(log, len(data))
		if w.destination == "" {
			alone, most = got, share
		}
		result.add(w.name, percent(share), percent(ratio(share, most)), times(ratio(got.cost(), alone.cost())), seconds(got.Wall.Seconds()),
			mebibytes(got.Peak), strings.Join(perSecond, " "))
		if w.destination != "" {
			s.targets = append(s.targets, atLeast("rate of reading sustained while loading into "+w.name, ratio(share, most), 0.95, percent))
		}
		s.targets = append(s.targets, atLeast("share of the limit, "+w.name, share, 0.92, percent))
	}
	s.tables = []table{result}
	return s, nil
}

// loadInto runs a first sync, and returns the requests that the simulated Stripe received.
func (b *bench) loadInto(ctx context.Context, stripe *simulated, w warehouse, data dataset) (got delivery, log []request, err error) {
	if err := stripe.reset(); err != nil {
		return delivery{}, nil, err
	}
	ours, err := b.serve(ctx, stripe.url)
	if err != nil {
		return delivery{}, nil, err
	}
	defer ours.stop()
	o := readOrder{Target: ours.address, APIBase: stripe.url, Key: liveKey, Streams: data.streams()}
	if w.destination == "" {
		err = b.once(ctx, "read", "read", o, &got)
	} else {
		err = b.once(ctx, "load", "load", loadJob{o, w.destination, w.slowDisk}, &got)
	}
	if err == nil {
		err = got.complete(data)
	}
	if err == nil {
		log, err = stripe.log()
	}
	return got, log, err
}

// warehousesIn returns the destinations to load into, including PostgreSQL if it is installed. The caller must call
// stop.
func warehousesIn(ctx context.Context, folder string) (all []warehouse, stop func(), err error) {
	at := func(name string) string { return filepath.Join(folder, name) }
	all = []warehouse{
		{"nothing (read)", "", false},
		{"JSON Lines", "jsonl:" + at("lines"), false},
		{"JSON Lines, slow disk", "jsonl:" + at("slow"), true},
		{"SQLite", "sqlite:" + at("stripe.db"), false},
		{"SQLite, slow disk", "sqlite:" + at("slow.db"), true},
	}
	address, end, err := postgrestest.Launch(ctx, "fsync=on", "max_wal_size=4GB")
	if errors.Is(err, postgrestest.ErrNotInstalled) {
		return all, func() {}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	server := strings.TrimSuffix(strings.TrimPrefix(address, "postgres://tester@"), "/postgres")
	proxy, hangUp, err := distant(ctx, server, distantRoundTrip)
	if err != nil {
		end()
		return nil, nil, err
	}
	return append(all,
		warehouse{"PostgreSQL", address + "?sslmode=disable&schema=near", false},
		warehouse{"PostgreSQL, distant", "postgres://tester@" + proxy + "/postgres?sslmode=disable&schema=far", false},
	), func() { hangUp(); end() }, nil
}

// rampUp is how long it takes to determine the windows that are read concurrently.
const rampUp = time.Second

// shareUsed returns the share of the limits of some endpoints that was used from the end of the ramp-up to the last
// request, and the number of requests in each second.
func shareUsed(log []request, endpoints int) (share float64, perSecond []string) {
	good, last := 0, time.Duration(0)
	var counts []int
	for _, r := range log {
		if r.Status != 200 || !strings.HasPrefix(r.Path, "/v1/") {
			continue
		}
		at := r.At - log[0].At
		if at >= rampUp {
			good++
		}
		last = max(last, at)
		for len(counts) <= int(at/time.Second) {
			counts = append(counts, 0)
		}
		counts[int(at/time.Second)]++
	}
	for _, n := range counts {
		perSecond = append(perSecond, fmt.Sprint(n))
	}
	return ratio(float64(good), min(accountLimit, float64(endpointLimit*endpoints))*(last-rampUp).Seconds()), perSecond
}
