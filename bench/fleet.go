package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
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

// fleet is a number of replicas behind a balancer, with the pipelines that use them.
type fleet struct {
	stripe    *simulated
	replicas  []*service
	service   *client.Client
	accounts  []string
	pipelines []*pipeline
	tokens    string // a directory
}

// pipeline is an account, and a destination that keeps its states.
type pipeline struct {
	account string
	config  *structpb.Struct
	shelf   shelf
}

// newFleet starts replicas. The caller must stop the fleet.
func (b *bench) newFleet(ctx context.Context, stripe *simulated, accounts []string, replicas int) (*fleet, error) {
	f := &fleet{stripe: stripe, accounts: accounts}
	if err := f.start(ctx, b, replicas); err != nil {
		f.stop()
		return nil, err
	}
	return f, nil
}

func (f *fleet) start(ctx context.Context, b *bench, replicas int) (err error) {
	if f.tokens, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	var state resolver.State
	for range replicas {
		s, err := b.serve(ctx, f.stripe.url)
		if err != nil {
			return err
		}
		f.replicas = append(f.replicas, s)
		state.Addresses = append(state.Addresses, resolver.Address{Addr: s.address})
	}
	names := manual.NewBuilderWithScheme("replicas")
	names.InitialState(state)
	f.service, err = client.Dial("replicas:///all", client.Options{Credentials: insecure.NewCredentials(), DialOptions: []grpc.DialOption{grpc.WithResolvers(names)}})
	if err != nil {
		return err
	}
	for _, account := range f.accounts {
		config, err := structpb.NewStruct(map[string]any{"api_key": liveKey, "api_base": f.stripe.url, "account": account, "start_date": "2020-01-01"})
		if err != nil {
			return err
		}
		f.pipelines = append(f.pipelines, &pipeline{account: account, config: config, shelf: shelf{}})
	}
	return nil
}

func (f *fleet) stop() {
	if f.service != nil {
		_ = f.service.Close()
	}
	for _, s := range f.replicas {
		s.stop()
	}
	_ = os.RemoveAll(f.tokens)
}

// kill kills the first replica with a number of Reads that are sending records. It returns a channel that receives the time when
// the replica has died. The replicas execute no commands anymore.
func (f *fleet) kill(reads int) (died <-chan time.Time, err error) {
	for _, s := range f.replicas {
		if err := s.do("kill", killOrder{reads, filepath.Join(f.tokens, "killed")}, nil); err != nil {
			return nil, err
		}
	}
	ended := make(chan time.Time, len(f.replicas))
	for _, s := range f.replicas {
		go func() { // until the fleet is stopped, at the latest
			s.ended()
			ended <- time.Now()
		}()
	}
	return ended, nil
}

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

// firstSyncs syncs all pipelines, atOnce of them concurrently. After half of them, it kills a replica with a number of Reads, unless
// that is 0.
func (f *fleet) firstSyncs(ctx context.Context, kill int) (syncResults, error) {
	return f.syncAll(ctx, kill, func(int) time.Time { return time.Now() })
}

// changes creates a charge in each account and syncs each pipeline when its slot is due. It kills like firstSyncs.
func (f *fleet) changes(ctx context.Context, kill int) (syncResults, error) {
	if err := f.stripe.do("charge", struct{}{}, nil); err != nil {
		return syncResults{}, err
	}
	if err := sleep(ctx, 5*time.Second); err != nil { // until Stripe's events are old enough to be listed
		return syncResults{}, err
	}
	began, between := time.Now(), slotInterval/time.Duration(len(f.pipelines))
	return f.syncAll(ctx, kill, func(i int) time.Time { return began.Add(time.Duration(i) * between) })
}

// syncAll syncs each pipeline when it is due, atOnce of them concurrently.
func (f *fleet) syncAll(ctx context.Context, kill int, due func(int) time.Time) (syncResults, error) {
	if err := f.stripe.reset(); err != nil {
		return syncResults{}, err
	}
	all := syncResults{syncs: make([]syncResult, len(f.pipelines))}
	began := time.Now()
	syncs, syncCtx := errgroup.WithContext(ctx)
	syncs.SetLimit(atOnce)
	var died <-chan time.Time
	for i, p := range f.pipelines {
		if i == len(f.pipelines)/2 && kill > 0 {
			var err error
			if died, err = f.kill(kill); err != nil {
				return syncResults{}, errors.Join(err, syncs.Wait())
			}
		}
		at := due(i)
		if err := sleep(syncCtx, time.Until(at)); err != nil {
			break // Wait returns the cause
		}
		syncs.Go(func() (err error) { // waits if too many syncs are running
			all.syncs[i], err = f.sync(syncCtx, p)
			all.syncs[i].due = at
			return err
		})
	}
	if err := errors.Join(syncs.Wait(), ctx.Err()); err != nil {
		return syncResults{}, err
	}
	all.wall = time.Since(began)
	if slices.ContainsFunc(all.syncs, func(s syncResult) bool { return s.reads > 1 }) && kill > 0 {
		select {
		case all.killed = <-died:
		case <-ctx.Done():
			return syncResults{}, ctx.Err()
		}
	}
	return all, f.countRequests(all.syncs)
}

// countRequests sets the number of requests of each sync. Each pipeline has an account of its own.
func (f *fleet) countRequests(syncs []syncResult) error {
	log, err := f.stripe.log()
	if err != nil {
		return err
	}
	of := map[string]int64{}
	for _, r := range log {
		of[r.Account]++
	}
	for i, p := range f.pipelines {
		syncs[i].requests = of[p.account]
	}
	return nil
}

// sync syncs a pipeline.
func (f *fleet) sync(ctx context.Context, p *pipeline) (o syncResult, err error) {
	var streams []string
	for _, path := range smallAccount() {
		streams = append(streams, streamOf(path))
	}
	report, err := f.service.Sync(ctx, client.SyncOptions{
		Config: p.config, Destination: p.shelf, Selection: client.Selection{Select: streams},
		Observe: func(_ context.Context, m *connectorv1.ReadResponse) {
			o.records += int64(len(m.GetRecords().GetRecords()))
		},
	})
	o.ended, o.took, o.reads = time.Now(), report.Duration, report.Reads
	return o, err
}

// shelf is a destination that keeps states only.
type shelf map[client.StreamKey]*connectorv1.StreamState

// Begin implements [client.Destination].
func (s shelf) Begin(_ context.Context, streams []*connectorv1.Stream) (begun client.BeginResult, err error) {
	for _, stream := range streams {
		for key, state := range s {
			if key.Stream == stream.GetName() {
				begun.States = append(begun.States, state)
			}
		}
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
