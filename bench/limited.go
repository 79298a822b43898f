package main

import (
	"context"
	"fmt"
	"time"
)

// roundTrip is the response time of the simulated Stripe in scenarios with latency.
const roundTrip = 100 * time.Millisecond

// limitedRun describes a Read under Stripe's limits.
type limitedRun struct {
	data        func(each int) dataset
	full, quick int // number of objects in each list
	density     string
	// chained means that the objects can't be split into windows, so each list is one chain of pages.
	chained bool
	targets func(outcome) []target
}

var (
	fiveEndpoints = limitedRun{data: evenData, full: 40_000, quick: 8_000, targets: func(o outcome) []target {
		return []target{
			atLeast("share of the allowed request rate sustained, five endpoints", o.share, 0.92, percent),
			atMost("share of requests answered 429", o.refused, 0.02, percent),
			atMost("requests, against the minimum number of pages", o.overhead, 1.08, times),
		}
	}}
	oneEndpoint = limitedRun{data: chargeData, full: 30_000, quick: 7_500, targets: func(o outcome) []target {
		return []target{atLeast("share of its own limit sustained, a single endpoint", o.share, 0.92, percent)}
	}}
	bursts = limitedRun{data: evenData, full: 20_000, quick: 5_000, density: "bursty", targets: func(o outcome) []target {
		return []target{
			atLeast("share of the allowed request rate sustained, bursty", o.share, 0.92, percent),
			atMost("share of requests answered 429, bursty", o.refused, 0.02, percent),
			atMost("requests, against the minimum number of pages, bursty", o.overhead, 1.08, times),
		}
	}}
	oneSecond = limitedRun{data: evenData, full: 6_000, quick: 2_500, density: "second", chained: true, targets: func(o outcome) []target {
		return []target{atMost("requests, against the minimum number of pages, one second", o.overhead, 1.08, times)}
	}}
)

// outcome is the result of a Read under limits.
type outcome struct {
	requests, minimum int
	wall, shortest    time.Duration
	share             float64 // of the allowed rate, counting only requests that returned a page
	refused           float64 // share of requests answered 429
	overhead          float64 // number of requests divided by the minimum
}

// judge computes the outcome of a Read from the requests that the simulated Stripe received.
func judge(log []request, minimum map[string]int, wall time.Duration) outcome {
	o := outcome{requests: len(log), wall: wall, shortest: shortest(minimum)}
	for _, n := range minimum {
		o.minimum += n
	}
	good, refused := 0, 0
	for _, r := range log {
		switch r.Status {
		case 200:
			good++
		case 429:
			refused++
		}
	}
	// The allowed rate is the account's limit, or the sum of the endpoints' limits if that is lower. The burst, which
	// is allowed in addition, doesn't count.
	allowed := min(accountLimit, float64(endpointLimit*len(minimum))) * wall.Seconds()
	o.share = ratio(float64(good), allowed)
	o.refused = ratio(float64(refused), float64(len(log)))
	o.overhead = ratio(float64(len(log)), float64(o.minimum))
	return o
}

// limited returns a scenario that reads under Stripe's limits.
func limited(t limitedRun) func(context.Context, *bench) (section, error) {
	return func(ctx context.Context, b *bench) (section, error) {
		each := b.size(t.full, t.quick)
		data := t.data(each)
		stripe, err := b.simulateData(ctx, data, world{Density: t.density, Latency: roundTrip, Limits: true})
		if err != nil {
			return section{}, err
		}
		defer stripe.stop()
		got, err := b.readWith(ctx, readOrder{APIBase: stripe.url, Key: liveKey, Streams: data.streams()}, "")
		if err != nil {
			return section{}, err
		}
		log, err := stripe.log()
		if err != nil {
			return section{}, err
		}
		o := judge(log, data.minRequests(), got.Wall)
		if t.chained {
			o.shortest = max(o.shortest, time.Duration(minPages(each))*roundTrip)
		}
		return t.section(data, got, o), got.complete(data)
	}
}

func lists(n int) string {
	if n == 1 {
		return "one list"
	}
	return fmt.Sprintf("%d lists of the same length", n)
}

func (t limitedRun) section(data dataset, got delivery, o outcome) section {
	result := table{head: []string{"", "ours"}}
	result.add("records per second", whole(got.rate()))
	result.add("time", seconds(o.wall.Seconds()))
	result.add("shortest possible time", seconds(o.shortest.Seconds()))
	result.add("share of the allowed request rate sustained", percent(o.share))
	result.add("requests answered 429", percent(o.refused))
	result.add("requests", fmt.Sprint(o.requests))
	result.add("minimum number of pages", fmt.Sprint(o.minimum))
	result.add("requests, against the minimum", times(o.overhead))
	result.add("records, against the objects", times(ratio(float64(got.Records), float64(total(data)))))
	result.add("peak memory of the service", mebibytes(got.Peak))
	s := section{
		setting: fmt.Sprintf("%d objects in %s. Every response takes 100 ms, and requests beyond the limits get status 429.",
			total(data), lists(len(data))),
		tables:  []table{result},
		targets: t.targets(o),
	}
	if t.chained {
		s.remarks = append(s.remarks, "A list whose objects all have the same creation time can't be split into windows: it is one chain of pages, "+
			"of which a latency of 100 ms allows ten per second. The shortest possible time is that of such a chain.")
	}
	return s
}
