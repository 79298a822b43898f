package main

import (
	"context"
	"fmt"
	"time"
)

// The readers of the scenarios without limits.
const (
	oursName       = "ours"
	sequentialName = "floor, one after the other"
	floorName      = "floor, side by side"
	afternoonName  = "afternoon"
)

// contest is a comparison of all readers on one simulated Stripe.
type contest struct {
	bench      *bench
	stripe     *simulated
	data       dataset
	pages      []string
	sideBySide int
	atMost     time.Duration // for those who read one page after the other
	unlimited  bool
	results    map[string]rounds
}

// contestOn prepares a comparison. The caller stops the Stripe.
func (b *bench) contestOn(ctx context.Context, data dataset, w world) (*contest, error) {
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

// round has each reader read once, but for the afternoon solution after the first round: it takes long, and once is enough
// for what is so far behind.
func (c *contest) round(ctx context.Context, name string) error {
	work := chore{APIBase: c.stripe.url, Key: liveKey, Pages: c.pages, Objects: total(c.data), Lists: c.data.paths()}
	sequential, parallel := work, work
	sequential.SideBySide, sequential.AtMost = 1, c.atMost
	parallel.SideBySide = c.sideBySide
	for _, other := range []struct {
		name, mode string
		work       chore
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
	got, err := c.bench.readWith(ctx, order{
		APIBase: c.stripe.url, Key: liveKey, Streams: c.data.streams(), Unlimited: c.unlimited,
	}, name)
	if err == nil {
		err = got.complete(c.data)
	}
	c.results[oursName] = append(c.results[oursName], got.measurement)
	return err
}

// against gives a figure of ours as a ratio to that of another reader.
func (c *contest) against(other string, of func(measurement) float64) float64 {
	return c.results[oursName].against(c.results[other], of)
}

// table compares all readers with the floor side by side.
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

// afternoonOnce is what [contest.round] does.
const afternoonOnce = "The afternoon solution reads in the first round only."

// cpu compares what records cost when nothing holds the readers up.
func cpu(ctx context.Context, b *bench) (section, error) {
	c, err := b.unhurried(ctx, "cpu", world{}, b.size(240_000, 10_000)) // so many that it matters little how a process begins
	if err != nil {
		return section{}, err
	}
	return section{
		setting: c.objects() + " The simulated Stripe answers at once and without limits. Ratios to the floor with 8 pages side by side. " + afternoonOnce,
		tables:  []table{c.table()},
		remarks: []string{"Ours does what the floor does, and validates, compacts and cuts each page and sends it on over gRPC."},
		targets: []target{
			atMost("processor time of the service per record, against the floor", c.against(floorName, measurement.cost), 3.5, times),
			atMost("processor time of the service per record, against the afternoon solution",
				c.against(afternoonName, measurement.cost), 1.0/6, times),
		},
	}, nil
}

// compressed is cpu where answers are compressed.
func compressed(ctx context.Context, b *bench) (section, error) {
	c, err := b.unhurried(ctx, "gzip", world{Gzip: true}, b.size(60_000, 10_000))
	if err != nil {
		return section{}, err
	}
	return section{
		setting: c.objects() + " As before, but answers are compressed with gzip, as Stripe compresses them for those who accept it: and net/http does, for " +
			"all of these readers. " + afternoonOnce,
		tables:  []table{c.table()},
		remarks: []string{"Here every reader pays for taking the answers apart before it begins. The simulated Stripe is the bottleneck, so that speeds say little."},
	}, nil
}

// unhurried has all readers read a typical account without latency or limits.
func (b *bench) unhurried(ctx context.Context, name string, w world, objects int) (*contest, error) {
	c, err := b.contestOn(ctx, typically(objects), w)
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

// latency compares the readers where each answer takes a while, as over the internet.
func latency(ctx context.Context, b *bench) (section, error) {
	c, err := b.contestOn(ctx, evenly(b.size(20_000, 3_000)), world{Latency: roundTrip})
	if err != nil {
		return section{}, err
	}
	defer c.stripe.stop()
	const inFlight = 10 // what 100 requests per second at 100 ms take
	c.sideBySide = inFlight
	c.atMost = time.Duration(b.size(6, 2)) * time.Second
	if err := c.round(ctx, "latency"); err != nil {
		return section{}, err
	}
	return section{
		setting: c.objects() + fmt.Sprintf(" Every answer takes 100 ms; there are no limits, but ours keeps to the documented ones. Ratios to the "+
			"floor with %d pages side by side, which is what 100 requests per second take; those who read one page after the other are stopped after %s.",
			inFlight, c.atMost),
		tables: []table{c.table()},
	}, nil
}
