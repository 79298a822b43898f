package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

const (
	// atOnce is the number of syncs that run concurrently, as on a worker or in a cluster with that many jobs.
	atOnce = 32
	// slotInterval is how often each pipeline is due while the lag is measured.
	slotInterval = 20 * time.Second
)

// scale syncs many small accounts through replicas behind a client-side balancer.
func scale(ctx context.Context, b *bench) (section, error) {
	pipelines := b.size(200, 10)
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
	first := table{head: []string{"first syncs", "pipelines per minute", "requests per second", "of each account's limit", "processor time per pipeline", "peak memory per replica"}}
	lag := table{head: []string{"changes, each pipeline due every " + slotInterval.String(), "requests per sync", "processor time per sync", "median lag", "p99 lag", "longest lag", "Reads resumed"}}
	for _, replicas := range []int{1, 2, 4} {
		name := fmt.Sprintf("%d replicas", replicas)
		if replicas == 1 {
			name = "1 replica"
		}
		if err := b.scaleTo(ctx, stripe, accounts, replicas, name, &first, &lag); err != nil {
			return section{}, err
		}
	}
	return section{
		setting: fmt.Sprintf("%d pipelines, each of one account with %d objects in %d lists, which have Stripe's limits each. %d syncs run at once, into "+
			"memory. Then every account gets a charge per slot, and the slots of the pipelines are spread evenly over the interval. The lag is from a slot to "+
			"the end of its sync. In the last row of each number of replicas, one replica is killed in the middle.",
			pipelines, total(objects), len(smallAccount()), atOnce),
		tables: []table{first, lag},
		remarks: []string{"The simulated Stripe, the replicas and the client share this computer, so more replicas are not faster here. What they cost, " +
			"and what a killed replica costs, is what the figures are for."},
	}, nil
}

// smallAccount returns the lists of a small account.
func smallAccount() []string {
	return append(mainLists(), "/v1/products", "/v1/prices", "/v1/refunds", "/v1/payouts", "/v1/disputes")
}

// scaleTo measures one number of replicas.
func (b *bench) scaleTo(ctx context.Context, stripe *simulated, accounts []string, replicas int, name string, first, lag *table) error {
	f, err := b.newFleet(ctx, stripe, accounts, replicas)
	if err != nil {
		return err
	}
	defer f.stop()
	began := time.Now()
	if err := f.eachPipeline(ctx, func(p *pipeline) error { return f.sync(ctx, p) }); err != nil {
		return err
	}
	wall, total := time.Since(began), f.take()
	spent, err := f.usage()
	if err != nil {
		return err
	}
	first.add(name, whole(float64(len(accounts))/wall.Minutes()), whole(float64(total.requests)/wall.Seconds()),
		percent(float64(total.requests)/(accountLimit*total.syncing.Seconds())),
		perSync(spent.CPU, len(accounts)), mebibytes(spent.Peak))
	if err := f.slot(ctx, func() {}); err != nil {
		return err
	}
	after, err := f.usage()
	if err != nil {
		return err
	}
	lag.add(append([]string{name}, f.take().cells(perSync(after.CPU-spent.CPU, len(accounts)))...)...)
	if replicas == 1 {
		return nil
	}
	if err := f.slot(ctx, f.kill); err != nil {
		return err
	}
	lag.add(append([]string{name + ", one killed"}, f.take().cells("")...)...) // the killed one can't say what it used
	return nil
}

func perSync(total time.Duration, syncs int) string {
	return fmt.Sprintf("%.0f ms", total.Seconds()*1000/float64(syncs))
}

// fleet is a number of replicas behind a balancer, with the pipelines that use them.
type fleet struct {
	stripe    *simulated
	replicas  []*service
	service   *client.Client
	pipelines []*pipeline

	mu     sync.Mutex
	totals totals
}

// pipeline is an account, and a destination that keeps its states.
type pipeline struct {
	config *structpb.Struct
	shelf  shelf
}

// totals are what the syncs since the last call of take have cost.
type totals struct {
	syncs    int
	requests int64
	syncing  time.Duration // the sum of their durations
	resumed  int           // Reads after the first of a sync
	lags     []time.Duration
}

// cells returns the cells of a row about slots.
func (t totals) cells(processor string) []string {
	slices.Sort(t.lags)
	at := func(share float64) string { return seconds(t.lags[int(share*float64(len(t.lags)-1))].Seconds()) }
	return []string{fmt.Sprintf("%.1f", float64(t.requests)/float64(t.syncs)), processor, at(0.5), at(0.99), at(1), fmt.Sprint(t.resumed)}
}

// newFleet starts replicas. The caller must stop the fleet.
func (b *bench) newFleet(ctx context.Context, stripe *simulated, accounts []string, replicas int) (*fleet, error) {
	f := &fleet{stripe: stripe}
	var state resolver.State
	for range replicas {
		s, err := b.serve(ctx, stripe.url)
		if err != nil {
			f.stop()
			return nil, err
		}
		f.replicas = append(f.replicas, s)
		state.Addresses = append(state.Addresses, resolver.Address{Addr: s.address})
	}
	names := manual.NewBuilderWithScheme("replicas")
	names.InitialState(state)
	var err error
	f.service, err = client.Dial("replicas:///all", client.Options{Credentials: insecure.NewCredentials(), DialOptions: []grpc.DialOption{grpc.WithResolvers(names)}})
	if err != nil {
		f.stop()
		return nil, err
	}
	for _, account := range accounts {
		config, err := structpb.NewStruct(map[string]any{"api_key": liveKey, "api_base": stripe.url, "account": account, "start_date": "2020-01-01"})
		if err != nil {
			f.stop()
			return nil, err
		}
		f.pipelines = append(f.pipelines, &pipeline{config: config, shelf: shelf{}})
	}
	return f, nil
}

func (f *fleet) stop() {
	if f.service != nil {
		_ = f.service.Close()
	}
	for _, s := range f.replicas {
		s.stop()
	}
}

// kill kills a replica.
func (f *fleet) kill() { _ = f.replicas[0].cmd.Process.Kill() }

// usage returns the processor time of all replicas and the peak memory of the largest.
func (f *fleet) usage() (all usage, err error) {
	for _, s := range f.replicas {
		var u usage
		if err := s.do("usage", struct{}{}, &u); err != nil {
			return usage{}, err
		}
		all.CPU, all.Peak = all.CPU+u.CPU, max(all.Peak, u.Peak)
	}
	return all, nil
}

func (f *fleet) take() totals {
	f.mu.Lock()
	defer f.mu.Unlock()
	taken := f.totals
	f.totals = totals{}
	return taken
}

// eachPipeline calls do for each pipeline, atOnce of them concurrently.
func (f *fleet) eachPipeline(ctx context.Context, do func(*pipeline) error) error {
	all, _ := errgroup.WithContext(ctx)
	all.SetLimit(atOnce)
	for _, p := range f.pipelines {
		all.Go(func() error { return do(p) })
	}
	return all.Wait()
}

// slot changes each account and syncs each pipeline once, when its slot is due. In the middle, it calls halfway.
func (f *fleet) slot(ctx context.Context, halfway func()) error {
	if err := f.stripe.do("charge", struct{}{}, nil); err != nil {
		return err
	}
	if err := sleep(ctx, 5*time.Second); err != nil { // until Stripe's events are old enough to be listed
		return err
	}
	began, between := time.Now(), slotInterval/time.Duration(len(f.pipelines))
	middle := time.AfterFunc(slotInterval/2, halfway)
	defer middle.Stop()
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(atOnce)
	for i, p := range f.pipelines {
		due := began.Add(time.Duration(i) * between)
		if err := sleep(ctx, time.Until(due)); err != nil {
			return errors.Join(err, all.Wait())
		}
		all.Go(func() error { // waits if too many syncs are running
			if err := f.sync(ctx, p); err != nil {
				return err
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			f.totals.lags = append(f.totals.lags, time.Since(due))
			return nil
		})
	}
	return all.Wait()
}

// sync syncs a pipeline.
func (f *fleet) sync(ctx context.Context, p *pipeline) error {
	var streams []string
	for _, path := range smallAccount() {
		streams = append(streams, streamOf(path))
	}
	report, err := f.service.Sync(ctx, client.SyncOptions{Config: p.config, Destination: p.shelf, Selection: client.Selection{Select: streams}})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.totals.syncs++
	f.totals.requests += report.Requests
	f.totals.syncing += report.Duration
	f.totals.resumed += report.Reads - 1
	return err
}

// shelf is a destination that keeps states only.
type shelf map[client.StreamKey]*connectorv1.StreamState

// Begin implements [client.Destination].
func (s shelf) Begin(context.Context, []*connectorv1.Stream) (begun client.BeginResult, err error) {
	for _, state := range s {
		begun.States = append(begun.States, state)
	}
	return begun, nil
}

// Commit implements [client.Destination].
func (s shelf) Commit(_ context.Context, c client.Commit) error {
	for _, state := range c.States {
		s[client.StreamKey{Stream: state.GetStream(), Account: state.GetAccount()}] = state
	}
	return nil
}

// Close implements [client.Destination].
func (s shelf) Close() error { return nil }
