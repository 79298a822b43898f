package main

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
)

// otherVersion is an API version whose events have payloads of another shape than records, so that their objects are re-read.
const otherVersion = "2020-08-27"

// costs measures what a million objects and a thousand changes cost the service.
func costs(ctx context.Context, b *bench) (section, error) {
	objects, changes := b.size(200_000, 5_000), b.size(1_000, 100)
	data := typicalData(objects)
	stripe, err := b.simulateData(ctx, data, world{})
	if err != nil {
		return section{}, err
	}
	defer stripe.stop()
	config, err := structpb.NewStruct(map[string]any{"api_key": liveKey, "api_base": stripe.url, "start_date": "2020-01-01", "max_requests_per_second": unlimited})
	if err != nil {
		return section{}, err
	}
	states := shelf{}
	var spent []usage
	sync := func() (*client.Report, error) {
		replica, err := b.serve(ctx, stripe.url) // for each sync, so that memory is that of the sync
		if err != nil {
			return nil, err
		}
		defer replica.stop()
		service, err := client.Dial(replica.address, client.Options{})
		if err != nil {
			return nil, err
		}
		defer service.Close()
		var before, after usage
		if err := replica.do("usage", struct{}{}, &before); err != nil {
			return nil, err
		}
		report, err := service.Sync(ctx, client.SyncOptions{Config: config, Destination: states, Selection: client.Selection{Select: data.streams()}})
		if err != nil {
			return nil, err
		}
		err = replica.do("usage", struct{}{}, &after)
		spent = append(spent, usage{CPU: after.CPU - before.CPU, Peak: after.Peak})
		return report, err
	}
	first, err := sync()
	if err != nil {
		return section{}, err
	}
	hour := time.Duration(0)
	change := func() (*client.Report, error) {
		hour += time.Hour
		if err := stripe.do("advance", hour, nil); err != nil {
			return nil, err
		}
		for range changes {
			if err := stripe.do("create", "/v1/charges", nil); err != nil {
				return nil, err
			}
		}
		hour += time.Hour
		if err := stripe.do("advance", hour, nil); err != nil {
			return nil, err
		}
		report, err := sync()
		if err != nil {
			return nil, err
		}
		if _, n := sizes(report); n < int64(changes) {
			return nil, fmt.Errorf("the sync has %d of %d changes", n, changes)
		}
		return report, nil
	}
	trusted, err := change()
	if err != nil {
		return section{}, err
	}
	if err := stripe.do("account version", otherVersion, nil); err != nil {
		return section{}, err
	}
	reread, err := change()
	if err != nil {
		return section{}, err
	}
	result := table{head: []string{"", "requests to Stripe", "processor seconds", "sent to the client", "peak memory"}}
	add := func(name string, report *client.Report, u usage, factor float64) {
		bytes, _ := sizes(report)
		result.add(name, whole(float64(report.Requests)*factor), fmt.Sprintf("%.2f", u.CPU.Seconds()*factor), mebibytes(int64(float64(bytes)*factor)), mebibytes(u.Peak))
	}
	add("1,000,000 objects", first, spent[0], 1e6/float64(objects))
	add("1,000 changes", trusted, spent[1], 1e3/float64(changes))
	add("1,000 changes, events of another API version", reread, spent[2], 1e3/float64(changes))
	return section{
		setting: fmt.Sprintf("A first sync of %d objects and syncs of %d new charges, scaled to the numbers below. The charges are created an hour "+
			"after the previous sync and an hour before the next. Processor time and memory are the service's.", objects, changes),
		tables: []table{result},
	}, nil
}

// sizes returns the bytes and the number of the records of a sync.
func sizes(report *client.Report) (bytes, records int64) {
	for _, s := range report.Streams {
		bytes, records = bytes+s.Bytes, records+s.Upserts
	}
	return bytes, records
}
