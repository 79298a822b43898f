package main

import (
	"context"
	"time"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/all"
)

// A slow disk takes slowSync for each commit, and writes slowBytes of records' JSON per second. In these scenarios,
// objects arrive at about 33 MB/s if Stripe allows 100 requests per second, so no loader could keep up on a disk
// slower than that. This one is as fast as a hard disk.
const (
	slowSync  = 100 * time.Millisecond
	slowBytes = 100 << 20
)

// loadJob says what a client loads, and where to.
type loadJob struct {
	readOrder
	Destination string
	SlowDisk    bool
}

// newLoadWorker returns a client that syncs into a destination.
func newLoadWorker() worker { return worker{"load": handler(load)} }

// load syncs into a destination and returns the number of rows stored.
func load(ctx context.Context, s loadJob) (got delivery, err error) {
	service, err := client.Dial(s.Target, client.Options{})
	if err != nil {
		return delivery{}, err
	}
	defer service.Close()
	request, err := s.request(ctx, service)
	if err != nil {
		return delivery{}, err
	}
	got.ByStream = map[string]int{}
	got.measurement, err = measured(func() error {
		d, err := all.Kinds().Open(ctx, s.Destination)
		if err != nil {
			return err
		}
		defer d.Close()
		if s.SlowDisk {
			d = slowDisk{d}
		}
		report, err := service.Sync(ctx, client.SyncOptions{Config: request.GetConfig(), Destination: d,
			Selection: client.Selection{Select: s.Streams}})
		for _, stream := range report.Streams {
			got.ByStream[stream.Stream] += int(stream.Upserts)
		}
		return err
	})
	for _, n := range got.ByStream {
		got.Records += n
	}
	return got, err
}

// slowDisk is a destination on a simulated slow disk.
type slowDisk struct{ client.Destination }

// Commit takes as long as it would on a slow disk, and then commits.
func (d slowDisk) Commit(ctx context.Context, c client.Commit) error {
	bytes := 0
	for _, batch := range c.Records {
		for _, r := range batch.GetRecords() {
			bytes += len(r.GetData())
		}
	}
	time.Sleep(slowSync + time.Duration(float64(bytes)/slowBytes*float64(time.Second)))
	return d.Destination.Commit(ctx, c)
}
