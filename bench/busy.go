package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// Parameters of the account, and of reading it.
const (
	busyOverlap  = 300 * time.Second // the configuration's events_overlap_seconds
	busySettling = 2 * time.Second   // the configuration's events_settling_seconds
	busyObjects  = 3000              // number in each list
)

// busyStreams are the streams whose objects change. Their rows have no columns that events omit.
func busyStreams() []string { return []string{"customers", "invoice_items", "products"} }

// busyPaths are the lists of busyStreams.
func busyPaths() []string { return []string{"/v1/customers", "/v1/invoiceitems", "/v1/products"} }

// cadence is how often changes are read.
type cadence struct {
	name     string
	interval time.Duration
	follow   bool
}

func cadences() []cadence {
	return []cadence{{"followed", 5 * time.Second, true}, {"each minute", time.Minute, false}, {"each 5 minutes", 5 * time.Minute, false}, {"each hour", time.Hour, false}}
}

// busy counts the requests needed to keep up with a busy account, on a simulated clock.
func busy(ctx context.Context, b *bench) (section, error) {
	t := table{head: []string{"changes read", "changes/s", "changes", "requests per 1,000", "minimum", "of events", "minimum", "of objects", "minimum", "ratio"}}
	var worst float64
	for _, old := range []float64{0, 1} {
		for _, c := range cadences() {
			for _, perSecond := range []int{1, 10, 100} {
				got, err := countBusy(ctx, c, perSecond, old, b.size(1, 4))
				if err != nil {
					return section{}, fmt.Errorf("%s, %d changes per second: %w", c.name, perSecond, err)
				}
				name := c.name
				if old > 0 {
					name += ", events of another version"
				}
				each := ratio(float64(got.made.all()), float64(got.minimum.all()))
				worst = max(worst, each)
				per1000 := func(n int64) string { return fmt.Sprintf("%.1f", 1000*float64(n)/float64(got.changes)) }
				t.add(name, fmt.Sprint(perSecond), fmt.Sprint(got.changes), per1000(got.made.all()), per1000(got.minimum.all()),
					per1000(got.made.events), per1000(got.minimum.events), per1000(got.made.objects), per1000(got.minimum.objects), times(each))
			}
		}
	}
	return section{
		setting: "Objects of three streams are created, changed and deleted at random. One in ten of their events becomes visible up to 20 seconds late, one " +
			"in a hundred up to 300 seconds. The rows have no columns that events omit. The simulated Stripe, the source and the schedule share a clock that runs as fast as the machine allows.",
		tables: []table{t},
		remarks: []string{"The minimum is the number of requests of a reader that keeps the same promises and remembers every event and every reading. It lists each second of events twice: when it is new, and when all of " +
			"its events have become visible, in periods of at least 30 seconds. It applies events in parts of 50 pages, after which a state is due, and re-reads an object, once per sweep, if its newest event in a part has another version, came late, or " +
			"is not the only one of its second, unless the object has been read since."},
		targets: []target{atMost("requests for the changes of a busy account, against the minimum: the worst", worst, 1.2, times)},
	}, nil
}

// busyCount has the number of changes to an account, and the numbers of requests that the source made and that were
// necessary.
type busyCount struct {
	changes       int
	made, minimum requestsOf
}

// requestsOf counts requests for events and requests for objects.
type requestsOf struct{ events, objects int64 }

func (r requestsOf) all() int64 { return r.events + r.objects }

// busyAccount is a busy account with its clock and the best possible reader.
type busyAccount struct {
	stripe    *stripetest.Stripe
	traffic   *stripetest.Traffic
	random    *rand.Rand
	clock     atomic.Int64 // Unix time at Stripe, in seconds
	local     atomic.Int64 // the source's time, which advances only after everything up to it has happened
	quiet     int64        // when the changes end
	perSecond int
	changes   int
	best      *bestReader
}

// countBusy reads an account until all its changes have settled.
func countBusy(ctx context.Context, c cadence, perSecond int, old float64, shorter int) (busyCount, error) {
	span := int64(max(900, 2*c.interval/time.Second))
	span = min(span, 30_000/int64(perSecond)) / int64(shorter)
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	a := &busyAccount{perSecond: perSecond, random: rand.New(rand.NewPCG(uint64(perSecond), 7))}
	a.set(begin.Unix())
	objects := map[string]int{"*": 0}
	for _, path := range busyPaths() {
		objects[path] = busyObjects
	}
	a.stripe = stripetest.New(stripetest.Options{
		Now: func() time.Time { return time.Unix(a.clock.Load(), 0).UTC() }, OldEvents: old, Compact: true, Accounts: -1, ShuffleTies: true,
		Objects: objects,
	})
	defer a.stripe.Close()
	a.traffic = a.stripe.Traffic(uint64(perSecond), busyPaths()...)
	counter := &counter{handler: a.stripe}
	source := stripe.New(stripe.Options{AllowedAPIBases: []string{busyBase}, Now: func() time.Time { return time.Unix(a.local.Load(), 0).UTC() }, Transport: counter})
	config := connector.NewConfig(fmt.Sprintf(`{"api_key":"sk_test_123","api_base":%q,"max_requests_per_second":10000,"events_overlap_seconds":%d}`,
		busyBase, int(busyOverlap.Seconds())))
	streams, err := incremental(ctx, source, config, busyStreams())
	if err != nil {
		return busyCount{}, err
	}
	latest := states{}
	req := connector.ReadRequest{Config: config, Streams: streams}
	if _, err := source.Read(ctx, req, latest); err != nil {
		return busyCount{}, err
	}
	// Let the overlap of the first Read pass before the account becomes busy.
	a.set(a.clock.Load() + int64(2*busyOverlap/time.Second))
	req.States = latest.all()
	if _, err := source.Read(ctx, req, latest); err != nil {
		return busyCount{}, err
	}
	a.best = newBestReader(a.stripe, a.clock.Load())
	counter.reset()
	first := a.clock.Load()
	interval := int64(c.interval / time.Second)
	if c.interval > time.Hour/2 { // start in the middle of an interval, so that its end is in the middle of the span
		a.set(first + max(0, interval-span/2))
	}
	a.quiet = a.clock.Load() + span
	next := first + interval
	step := func() (bool, error) {
		if err := a.play(next); err != nil {
			return false, err
		}
		next += interval
		return a.clock.Load() > a.quiet+int64(busyOverlap.Seconds()*1.1)+interval, a.best.sweep(ctx, a.clock.Load())
	}
	if c.follow {
		err = followBusy(ctx, source, config, streams, latest, step, counter)
	} else {
		err = scheduleBusy(ctx, source, config, streams, latest, step)
	}
	return busyCount{a.changes, counter.requestsOf(), a.best.requestsOf}, err
}

func (a *busyAccount) set(now int64) {
	a.clock.Store(now)
	a.local.Store(now)
}

// play makes the changes up to a time, and advances the clock to it.
func (a *busyAccount) play(until int64) error {
	for ; a.clock.Load() < until; a.clock.Add(1) {
		for n := 0; n < a.perSecond && a.clock.Load() < a.quiet; n++ {
			late := 2 * time.Second
			switch a.random.IntN(100) {
			case 0:
				late = busyOverlap
			case 1, 2, 3, 4, 5, 6, 7, 8, 9, 10:
				late = 20 * time.Second
			}
			a.stripe.SetDelays(stripetest.Delays{Events: late})
			if _, err := a.traffic.Change(); err != nil {
				return err
			}
			a.changes++
		}
	}
	a.local.Store(until)
	return nil
}

// scheduleBusy does a Read after each step, from the states of the previous Read.
func scheduleBusy(ctx context.Context, source connector.Source, config connector.Config, streams []connector.ConfiguredStream, latest states, step func() (bool, error)) error {
	for {
		done, err := step()
		if err != nil {
			return err
		}
		req := connector.ReadRequest{Config: config, Streams: streams, States: latest.all()}
		if _, err := source.Read(ctx, req, latest); err != nil || done {
			return err
		}
	}
}

// followBusy does one Read with follow, and takes a step whenever a sweep has ended.
func followBusy(
	ctx context.Context, source connector.Source, config connector.Config, streams []connector.ConfiguredStream, latest states,
	step func() (bool, error), c *counter,
) error {
	group, ctx := errgroup.WithContext(ctx)
	ctx, cancel := context.WithCancel(ctx)
	group.Go(func() error {
		req := connector.ReadRequest{Config: config, Streams: streams, States: latest.all(), Follow: true, FollowInterval: time.Millisecond}
		if _, err := source.Read(ctx, req, latest); !errors.Is(err, context.Canceled) {
			return fmt.Errorf("follow: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		defer cancel()
		for {
			before := c.requestsOf()
			done, err := step()
			if err == nil {
				err = c.settle(ctx, before)
			}
			if err != nil || done {
				return err
			}
		}
	})
	return group.Wait()
}

// busyBase is the base URL of the simulated Stripe, to which no actual connection is made.
const busyBase = "http://stripe.test"

// counter forwards requests to a handler and counts them.
type counter struct {
	handler         http.Handler
	events, objects atomic.Int64
	inFlight        atomic.Int64
}

func (c *counter) RoundTrip(request *http.Request) (*http.Response, error) {
	c.inFlight.Add(1)
	defer c.inFlight.Add(-1)
	switch request.URL.Path {
	case "/v1/events":
		c.events.Add(1)
	case "/v1/account": // once per Read, so not counted
	default:
		c.objects.Add(1)
	}
	recorder := httptest.NewRecorder()
	c.handler.ServeHTTP(recorder, request)
	response := recorder.Result()
	response.Request = request
	return response, nil
}

// settle waits until requests have been made since before, and have stopped. If the machine is so busy that they
// pause in the middle of a sweep, the account changes during that sweep, as real accounts do.
func (c *counter) settle(ctx context.Context, before requestsOf) error {
	const pause = 4 * time.Millisecond
	for quiet, last := 0, before; quiet < 2; {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		switch now := c.requestsOf(); {
		case now == before, now != last, c.inFlight.Load() > 0:
			quiet, last = 0, now
		default:
			quiet++
		}
	}
	return nil
}

func (c *counter) reset() {
	c.events.Store(0)
	c.objects.Store(0)
}

func (c *counter) requestsOf() requestsOf { return requestsOf{c.events.Load(), c.objects.Load()} }
