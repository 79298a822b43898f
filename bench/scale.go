package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// atOnce is the number of syncs that run concurrently, as on a worker or in a cluster with that many jobs.
	atOnce = 32
	// slotInterval is how often each pipeline is due while the lag is measured.
	slotInterval = 20 * time.Second
)

// scaleTables are the tables of the scenario.
type scaleTables struct{ first, changes, killed table }

// scale syncs many small accounts through replicas behind a client-side balancer.
func scale(ctx context.Context, b *bench) (section, error) {
	pipelines := b.size(200, 40)
	objects := map[string]int{"*": 0, "/v1/charges": 300}
	for _, path := range smallAccount() {
		if _, known := objects[path]; !known {
			objects[path] = 100
		}
	}
	stripe, err := b.simulate(ctx, world{Objects: objects, Accounts: pipelines, Latency: roundTrip, Limits: true})
	if err != nil {
		return section{}, err
	}
	defer stripe.stop()
	var accounts []string
	if err := stripe.do("accounts", struct{}{}, &accounts); err != nil {
		return section{}, err
	}
	t := scaleTables{
		first: table{head: []string{"first syncs", "pipelines per minute", "requests per second", "of each account's limit", "processor time per pipeline", "peak memory per replica"}},
		changes: table{head: []string{"changes, each pipeline due every " + slotInterval.String(), "requests per sync", "processor time per sync",
			"median lag", "p99 lag", "longest lag"}},
		killed: table{head: []string{"one replica killed", "Reads interrupted", "requests repeated", "records sent twice", "longest delay", "all caught up after"}},
	}
	for _, replicas := range []int{1, 2, 4} {
		if err := b.scaleTo(ctx, stripe, accounts, replicas, &t); err != nil {
			return section{}, err
		}
	}
	return section{
		setting: fmt.Sprintf("%d pipelines, each of one account with %d objects in %d lists, which have Stripe's limits each. %d syncs run at once, into "+
			"memory. Then every account gets a charge per slot, and the slots of the pipelines are spread evenly over the interval. The lag is from a slot to "+
			"the end of its sync.", pipelines, total(objects), len(smallAccount()), atOnce),
		tables: []table{t.first, t.changes, t.killed},
		remarks: []string{"The simulated Stripe, the replicas and the client share this computer, so more replicas are not faster here. What they cost, " +
			"and what a killed replica costs, is what the figures are for.",
			"After half of the syncs, a replica is killed while it is sending the records of a Read. In first syncs, half of its share of Reads must be at that " +
				"point. What was repeated, and the delay, are the differences between the interrupted syncs and the median of the others."},
	}, nil
}

// smallAccount returns the lists of a small account.
func smallAccount() []string {
	return append(mainLists(), "/v1/products", "/v1/prices", "/v1/refunds", "/v1/payouts", "/v1/disputes")
}

// scaleTo measures one number of replicas.
func (b *bench) scaleTo(ctx context.Context, stripe *simulated, accounts []string, replicas int, t *scaleTables) error {
	name := fmt.Sprintf("%d replicas", replicas)
	if replicas == 1 {
		name = "1 replica"
	}
	f, err := b.newFleet(ctx, stripe, accounts, replicas)
	if err != nil {
		return err
	}
	defer f.stop()
	got, err := f.firstSyncs(ctx, 0)
	if err != nil {
		return err
	}
	spent, err := f.usage()
	if err != nil {
		return err
	}
	t.first.add(name, whole(float64(len(got.syncs))/got.wall.Minutes()), whole(float64(got.requests())/got.wall.Seconds()),
		percent(float64(got.requests())/(accountLimit*got.syncing().Seconds())), perSync(spent.CPU, len(got.syncs)), mebibytes(spent.Peak))
	if got, err = f.changes(ctx, 0); err != nil {
		return err
	}
	after, err := f.usage()
	if err != nil {
		return err
	}
	lag := func(share float64) string { return seconds(got.lag(share).Seconds()) }
	t.changes.add(name, fmt.Sprintf("%.1f", float64(got.requests())/float64(len(got.syncs))), perSync(after.CPU-spent.CPU, len(got.syncs)), lag(0.5), lag(0.99), lag(1))
	if replicas == 1 {
		return nil
	}
	return b.scaleKilled(ctx, f, name, t)
}

// scaleKilled measures what a killed replica costs: of the fleet f, whose pipelines have been synced, and of a new one.
func (b *bench) scaleKilled(ctx context.Context, f *fleet, name string, t *scaleTables) error {
	changes, err := f.changes(ctx, 1)
	if err != nil {
		return err
	}
	f.stop()
	fresh, err := b.newFleet(ctx, f.stripe, f.accounts, len(f.replicas))
	if err != nil {
		return err
	}
	defer fresh.stop()
	first, err := fresh.firstSyncs(ctx, max(1, atOnce/len(fresh.replicas)/2))
	if err != nil {
		return err
	}
	for _, row := range []struct {
		name string
		got  syncResults
	}{{name + ", first syncs", first}, {name + ", changes", changes}} {
		cells, err := row.got.interruption()
		if err != nil {
			return fmt.Errorf("%s: %w", row.name, err)
		}
		t.killed.add(append([]string{row.name}, cells...)...)
	}
	return nil
}

func perSync(total time.Duration, syncs int) string {
	return fmt.Sprintf("%.0f ms", total.Seconds()*1000/float64(syncs))
}

// syncResult is what one sync did.
type syncResult struct {
	due, ended time.Time
	took       time.Duration // without the time that it waited for others
	reads      int
	records    int64 // received, including those that were sent again
	requests   int64 // received by the simulated Stripe, including those of a killed replica
}

func (o syncResult) lag() time.Duration { return o.ended.Sub(o.due) }

// syncResults are what all pipelines did, one sync each.
type syncResults struct {
	syncs  []syncResult
	wall   time.Duration
	killed time.Time // when a replica died; zero if none did
}

func (o syncResults) requests() (n int64) {
	for _, s := range o.syncs {
		n += s.requests
	}
	return n
}

func (o syncResults) syncing() (sum time.Duration) {
	for _, s := range o.syncs {
		sum += s.took
	}
	return sum
}

// lag returns the lag that a share of the syncs don't exceed.
func (o syncResults) lag(share float64) time.Duration {
	var lags []time.Duration
	for _, s := range o.syncs {
		lags = append(lags, s.lag())
	}
	slices.Sort(lags)
	return lags[int(share*float64(len(lags)-1))]
}

// interruption returns the cells of a row about a killed replica.
func (o syncResults) interruption() ([]string, error) {
	var interrupted []syncResult
	var requests, records, lags []float64 // of the others
	for _, s := range o.syncs {
		if s.reads > 1 {
			interrupted = append(interrupted, s)
			continue
		}
		requests, records, lags = append(requests, float64(s.requests)), append(records, float64(s.records)), append(lags, s.lag().Seconds())
	}
	if o.killed.IsZero() || len(interrupted) == 0 {
		return nil, errors.New("no Read was interrupted, so there is nothing to measure")
	}
	var repeated, twice, delay float64
	caughtUp := o.killed
	for _, s := range interrupted {
		repeated += float64(s.requests) - median(requests)
		twice += float64(s.records) - median(records)
		delay = max(delay, s.lag().Seconds()-median(lags))
		if s.ended.After(caughtUp) {
			caughtUp = s.ended
		}
	}
	return []string{fmt.Sprint(len(interrupted)), whole(repeated), whole(twice), seconds(delay), seconds(caughtUp.Sub(o.killed).Seconds())}, nil
}
