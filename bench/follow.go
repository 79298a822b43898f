package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/all"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
	"github.com/stripe-connector/stripe-connector/server"
)

const (
	followRate = 10              // changes per second
	followLook = 2 * time.Second // the default of sync --follow
)

// follow measures how long changes take to become rows while a sync follows them, whether memory stays flat, and the requests of a
// sync that has nothing to do.
func follow(ctx context.Context, b *bench) (section, error) {
	changes, idle := b.size(600, 100), time.Duration(b.size(40, 10))*time.Second
	const before = 200
	world, err := b.simulate(ctx, world{Objects: map[string]int{"*": 0, "/v1/customers": before}})
	if err != nil {
		return section{}, err
	}
	defer world.stop()
	rows, end, err := following(ctx, world.url)
	if err != nil {
		return section{}, err
	}
	found, err := measureFollowing(ctx, world, rows, before, changes, idle)
	if err := errors.Join(err, end()); err != nil {
		return section{}, err
	}
	slices.Sort(found.delays)
	at := func(share float64) float64 { return found.delays[int(share*float64(len(found.delays)-1))].Seconds() }
	perLook, growth := ratio(float64(found.requests), idle.Seconds()/followLook.Seconds()), ratio(float64(found.late), float64(found.early))
	s := section{
		setting: fmt.Sprintf("`sync --follow` into SQLite, looking for changes every %s. %d customers are created, %d per second. The time from the "+
			"change at the simulated Stripe to the end of the commit with its row counts. Memory is the heap of service and client in one process, after "+
			"a third of the changes and after all. The requests are those of %s without a change.", followLook, changes, followRate, idle),
		tables: []table{{head: []string{"", "median", "p99", "longest"}}, {head: []string{"", "heap, early", "heap, late", "requests per look, idle"}}},
		targets: []target{
			atMost("p99 of the time until a change is a row", at(0.99), 10, seconds),
			atMost("growth of the heap", growth, 1.25, times),
			atMost("requests per look while nothing changes", perLook, 1.1, times),
		},
	}
	s.tables[0].add("until a change is a row", seconds(at(0.5)), seconds(at(0.99)), seconds(at(1)))
	s.tables[1].add("while following", mebibytes(int64(found.early)), mebibytes(int64(found.late)), times(perLook))
	return s, nil
}

// followed is what was measured.
type followed struct {
	delays      []time.Duration
	early, late uint64 // bytes on the heap
	requests    int
}

func measureFollowing(ctx context.Context, world *simulated, rows *arrivals, before, changes int, idle time.Duration) (found followed, err error) {
	if err := rows.wait(ctx, before); err != nil {
		return found, err
	}
	rows.forget()
	made := map[string]time.Time{}
	ticks := time.NewTicker(time.Second / followRate)
	defer ticks.Stop()
	for n := range changes {
		<-ticks.C
		at, id := time.Now(), ""
		if err := world.do("create", "/v1/customers", &id); err != nil {
			return found, err
		}
		made[id] = at
		if n == changes/3 {
			found.early = heap()
		}
	}
	if err := rows.wait(ctx, changes); err != nil {
		return found, err
	}
	found.late = heap()
	for id, at := range made {
		arrived, ok := rows.at(id)
		if !ok {
			return found, fmt.Errorf("the row of %s is missing", id)
		}
		found.delays = append(found.delays, arrived.Sub(at))
	}
	if err := sleep(ctx, 5*time.Second); err != nil { // for what the last changes still cause
		return found, err
	}
	if err := world.reset(); err != nil {
		return found, err
	}
	if err := sleep(ctx, idle); err != nil {
		return found, err
	}
	log, err := world.log()
	found.requests = len(log)
	return found, err
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func heap() uint64 {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return memory.HeapAlloc
}

// arrivals is a destination that notes when rows are committed.
type arrivals struct {
	client.Destination
	mu        sync.Mutex
	committed map[string]time.Time // by id
}

// Commit implements [client.Destination].
func (a *arrivals) Commit(ctx context.Context, c client.Commit) error {
	if err := a.Destination.Commit(ctx, c); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, batch := range c.Records {
		for _, record := range batch.GetRecords() {
			var row structpb.Struct
			if err := row.UnmarshalJSON([]byte(record.GetData())); err != nil {
				return err
			}
			id := row.GetFields()["id"].GetStringValue()
			if _, known := a.committed[id]; !known && record.GetOperation() == connectorv1.Operation_OPERATION_UPSERT {
				a.committed[id] = time.Now()
			}
		}
	}
	return nil
}

func (a *arrivals) at(id string) (time.Time, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at, ok := a.committed[id]
	return at, ok
}

func (a *arrivals) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.committed)
}

// wait waits for a number of rows.
func (a *arrivals) wait(ctx context.Context, n int) error {
	for {
		a.mu.Lock()
		have := len(a.committed)
		a.mu.Unlock()
		if have >= n {
			return nil
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("%d of %d rows arrived: %w", have, n, err)
		}
	}
}

// following starts a sync that follows, and its service, in this process. The caller must call end.
func following(ctx context.Context, base string) (rows *arrivals, end func() error, err error) {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, nil, err
	}
	address, err := serve(ctx, stripe.New(stripe.Options{AllowedAPIBases: []string{base}}), server.Options{})
	if err != nil {
		return nil, nil, err
	}
	service, err := client.Dial(address, client.Options{})
	if err != nil {
		return nil, nil, err
	}
	d, err := all.Kinds().Open(ctx, "sqlite:"+filepath.Join(folder, "stripe.db"))
	if err != nil {
		return nil, nil, err
	}
	config, err := structpb.NewStruct(map[string]any{"api_key": liveKey, "api_base": base, "start_date": "2020-01-01"})
	if err != nil {
		return nil, nil, err
	}
	rows = &arrivals{Destination: d, committed: map[string]time.Time{}}
	syncing, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		_, err := service.Sync(syncing, client.SyncOptions{Config: config, Destination: rows, Follow: true, FollowInterval: followLook,
			Selection: client.Selection{Select: []string{"customers"}}})
		ended <- err
	}()
	return rows, func() error {
		stop()
		err := <-ended
		if errors.Is(err, context.Canceled) {
			err = nil
		}
		return errors.Join(err, d.Close(), service.Close(), os.RemoveAll(folder))
	}, nil
}
