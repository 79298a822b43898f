package main

import (
	"context"
	"fmt"
	"time"
)

// The readers in the scenarios without limits.
const (
	oursName       = "ours"
	sequentialName = "floor, sequential"
	floorName      = "floor, concurrent"
	afternoonName  = "afternoon"
)

// contest is a comparison of all readers on one simulated Stripe.
type contest struct {
	bench      *bench
	stripe     *simulated
	data       dataset
	pages      []string
	sideBySide int
	atMost     time.Duration // for sequential readers
	unlimited  bool
	results    map[string]rounds
}

// newContest prepares a comparison. The caller must stop the simulated Stripe.
func (b *bench) newContest(ctx context.Context, data dataset, w world) (*contest, error) {
	stripe, err := b.simulateData(ctx, data, w)
	if err != nil {
		return nil, err
	}
	c := &contest{bench: b, stripe: stripe, data: data, results: map[string]rounds{}}
	if c.pages, err = stripe.pages(data.paths()); err != nil {
		stripe.stop()
		return nil, err
	}
	return c, nil
}

// round reads once with each reader. The afternoon solution reads only in the first round: it takes long, and is so
// far behind that one measurement is enough.
func (c *contest) round(ctx context.Context, name string) error {
	work := readJob{APIBase: c.stripe.url, Key: liveKey, Pages: c.pages, Objects: total(c.data), Lists: c.data.paths()}
	sequential, parallel := work, work
	sequential.SideBySide, sequential.AtMost = 1, c.atMost
	parallel.SideBySide = c.sideBySide
	for _, other := range []struct {
		name, mode string
		work       readJob
	}{
		{sequentialName, "floor", sequential}, {floorName, "floor", parallel}, {afternoonName, "afternoon", sequential},
	} {
		if other.name == afternoonName && len(c.results[afternoonName]) > 0 {
			continue
		}
		var m measurement
		if err := c.bench.once(ctx, other.mode, "read", other.work, &m); err != nil {
			return err
		}
		c.results[other.name] = append(c.results[other.name], m)
	}
	got, err := c.bench.readWith(ctx, readOrder{
		APIBase: c.stripe.url, Key: liveKey, Streams: c.data.streams(), Unlimited: c.unlimited,
	}, name)
	if err == nil {
		err = got.complete(c.data)
	}
	c.results[oursName] = append(c.results[oursName], got.measurement)
	return err
}

// against returns the ratio of our figure to another reader's.
func (c *contest) against(other string, of func(measurement) float64) float64 {
	return c.results[oursName].against(c.results[other], of)
}

// table compares all readers with the concurrent floor.
func (c *contest) table() table {
	t := table{head: []string{"reader", "records/s", "processor time per record", "peak memory"}}
	for _, name := range []string{floorName, sequentialName, oursName, afternoonName} {
		r, baseline := c.results[name], c.results[floorName]
		t.add(name, times(r.against(baseline, measurement.rate)), times(r.against(baseline, measurement.cost)),
			mebibytes(int64(r.median(func(m measurement) float64 { return float64(m.Peak) }))))
	}
	return t
}

func (c *contest) objects() string {
	return fmt.Sprintf("%d objects in %d lists, %d pages.", total(c.data), len(c.data), len(c.pages))
}

// afternoonOnce describes the exception in [contest.round].
const afternoonOnce = "The afternoon solution reads only in the first round."

// cpu compares the cost per record when nothing slows the readers down.
func cpu(ctx context.Context, b *bench) (section, error) {
	c, err := b.unthrottled(ctx, "cpu", world{}, b.size(240_000, 10_000)) // enough objects to make a process's startup negligible
	if err != nil {
		return section{}, err
	}
	return section{
		setting: c.objects() + " The simulated Stripe responds at once and without limits. Ratios to the floor with 8 concurrent requests. " + afternoonOnce,
		tables:  []table{c.table()},
		remarks: []string{"Ours does what the floor does, and also validates, compacts and cuts each page and sends it over gRPC."},
		targets: []target{
			atMost("processor time of the service per record, against the floor", c.against(floorName, measurement.cost), 3.5, times),
			atMost("processor time of the service per record, against the afternoon solution",
				c.against(afternoonName, measurement.cost), 1.0/6, times),
		},
	}, nil
}

// compressed is like cpu, with compressed responses.
func compressed(ctx context.Context, b *bench) (section, error) {
	c, err := b.unthrottled(ctx, "gzip", world{Gzip: true}, b.size(60_000, 10_000))
	if err != nil {
		return section{}, err
	}
	return section{
		setting: c.objects() + " As before, but responses are compressed with gzip, as Stripe does for clients that accept it. All of these readers do, since they " +
			"use net/http. " + afternoonOnce,
		tables:  []table{c.table()},
		remarks: []string{"Here every reader also pays for decompression. The simulated Stripe is the bottleneck, so the speeds mean little."},
	}, nil
}

// unthrottled reads a typical account with all readers, without latency or limits.
func (b *bench) unthrottled(ctx context.Context, name string, w world, objects int) (*contest, error) {
	c, err := b.newContest(ctx, typicalData(objects), w)
	if err != nil {
		return nil, err
	}
	defer c.stripe.stop()
	c.sideBySide, c.unlimited = 8, true
	for i := range b.rounds() {
		if err := c.round(ctx, fmt.Sprintf("%s-%d", name, i+1)); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// latency compares the readers with a delay for each response, as over the internet.
func latency(ctx context.Context, b *bench) (section, error) {
	c, err := b.newContest(ctx, evenData(b.size(20_000, 3_000)), world{Latency: roundTrip})
	if err != nil {
		return section{}, err
	}
	defer c.stripe.stop()
	const inFlight = 10 // needed for 100 requests per second at 100 ms
	c.sideBySide = inFlight
	c.atMost = time.Duration(b.size(6, 2)) * time.Second
	if err := c.round(ctx, "latency"); err != nil {
		return section{}, err
	}
	return section{
		setting: c.objects() + fmt.Sprintf(" Every response takes 100 ms. There are no limits, but ours keeps to the documented ones. Ratios to the "+
			"floor with %d concurrent requests, which is what 100 requests per second take. Sequential readers are stopped after %s.",
			inFlight, c.atMost),
		tables: []table{c.table()},
	}, nil
}
