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

// farAway is a round trip to a distant database.
const farAway = 50 * time.Millisecond

// warehouse is a destination to load into.
type warehouse struct {
	name, destination string
	slowDisk          bool
}

// loading reads under Stripe's limits into each kind of destination: loading must not hold extraction up.
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
	result := table{head: []string{"into", "of the limit", "time", "peak memory of the client", "requests in each second"}}
	s := section{
		setting: fmt.Sprintf("A first sync of %d objects in %s, as in the sections above. The share is that of the requests which the limits allow between the "+
			"first and the last one. A slow disk takes %d ms for each commit and writes %d MiB/s; the distant database is %d ms away, there and back.",
			total(data), lists(len(data)), slowSync.Milliseconds(), slowBytes>>20, farAway.Milliseconds()),
	}
	for _, w := range warehouses {
		got, log, err := b.loadInto(ctx, stripe, w, data)
		if err != nil {
			return section{}, fmt.Errorf("%s: %w", w.name, err)
		}
		share, perSecond := pace(log, len(data))
		result.add(w.name, percent(share), seconds(got.Wall.Seconds()), mebibytes(got.Peak), strings.Join(perSecond, " "))
		s.targets = append(s.targets, atLeast("share of the limit kept up while loading into "+w.name, share, 0.95, percent))
	}
	s.tables = []table{result}
	return s, nil
}

// loadInto does one first sync, and returns what Stripe saw of it.
func (b *bench) loadInto(ctx context.Context, stripe *simulated, w warehouse, data dataset) (got delivery, log []request, err error) {
	if err := stripe.reset(); err != nil {
		return delivery{}, nil, err
	}
	ours, err := b.serve(ctx, stripe.url)
	if err != nil {
		return delivery{}, nil, err
	}
	defer ours.stop()
	o := order{Target: ours.address, APIBase: stripe.url, Key: liveKey, Streams: data.streams()}
	if w.destination == "" {
		err = b.once(ctx, "read", "read", o, &got)
	} else {
		err = b.once(ctx, "load", "load", shipment{o, w.destination, w.slowDisk}, &got)
	}
	if err == nil {
		err = got.complete(data)
	}
	if err == nil {
		log, err = stripe.log()
	}
	return got, log, err
}

// warehousesIn lists the destinations, with those that PostgreSQL runs where that is installed.
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
	proxy, hangUp, err := distant(ctx, server, farAway)
	if err != nil {
		end()
		return nil, nil, err
	}
	return append(all,
		warehouse{"PostgreSQL", address + "?sslmode=disable&schema=near", false},
		warehouse{"PostgreSQL, distant", "postgres://tester@" + proxy + "/postgres?sslmode=disable&schema=far", false},
	), func() { hangUp(); end() }, nil
}

// pace works out the share of the limits of some endpoints that was kept up between the first request and the last, and the
// number of requests in each second.
func pace(log []request, endpoints int) (share float64, perSecond []string) {
	good, last := 0, time.Duration(0)
	var counts []int
	for _, r := range log {
		if r.Status != 200 || !strings.HasPrefix(r.Path, "/v1/") {
			continue
		}
		good++
		at := r.At - log[0].At
		last = max(last, at)
		for len(counts) <= int(at/time.Second) {
			counts = append(counts, 0)
		}
		counts[int(at/time.Second)]++
	}
	for _, n := range counts {
		perSecond = append(perSecond, fmt.Sprint(n))
	}
	return ratio(float64(good), min(accountLimit, float64(endpointLimit*endpoints))*last.Seconds()), perSecond
}
