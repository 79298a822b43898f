package main

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	"github.com/stripe-connector/stripe-connector/server"
)

// wireSource is a source of prepared records, sent a page at a time, so that only the wire is measured.
type wireSource struct {
	records []connector.Record
	total   int
}

var _ connector.Source = (*wireSource)(nil)

func (s *wireSource) Spec() connector.Spec {
	return connector.Spec{Source: "wire", SyncModes: []connector.SyncMode{connector.FullRefresh}}
}

func (s *wireSource) Check(context.Context, connector.CheckRequest) (connector.CheckResult, error) {
	return connector.CheckResult{}, nil
}

func (s *wireSource) Discover(context.Context, connector.DiscoverRequest) (connector.Catalog, error) {
	return connector.Catalog{}, nil
}

func (s *wireSource) Read(ctx context.Context, _ connector.ReadRequest, sink connector.Sink) (connector.Summary, error) {
	for sent := 0; sent < s.total; sent += perPage {
		from := sent % len(s.records)
		err := sink.Send(ctx, &connector.RecordBatch{Stream: "charges", Generation: 1, Records: s.records[from : from+perPage]})
		if err != nil {
			return connector.Summary{}, err
		}
	}
	return connector.Summary{}, nil
}

// someRecords returns charges of a simulated account, with an invoice after every nineteenth. The average size and
// its variation are those of Stripe's fixtures.
func someRecords(n int) []connector.Record {
	account := stripetest.New(stripetest.Options{Objects: map[string]int{
		"/v1/charges": n, "/v1/invoices": n / 20,
	}})
	var kinds []func() (string, bool)
	for _, path := range []string{"/v1/charges", "/v1/invoices"} {
		next, stop := iter.Pull(func(yield func(string) bool) {
			for _, raw := range account.Truth(path) {
				if !yield(string(raw)) {
					return
				}
			}
		})
		defer stop()
		kinds = append(kinds, next)
	}
	at := time.Now()
	records := make([]connector.Record, 0, n)
	for i := range n {
		kind := kinds[0]
		if i%20 == 19 {
			kind = kinds[1]
		}
		data, _ := kind()
		records = append(records, connector.Record{Data: data, Operation: connector.Upsert, AsOf: at})
	}
	return records
}

// wireSetup configures a server of prepared records.
type wireSetup struct {
	Records int
	Sizes   []int // message sizes in bytes
}

// wireReady has the server's address for each message size, and the average size of a record.
type wireReady struct {
	Addresses map[int]string
	Average   int
}

func newWireWorker() worker {
	return worker{"start": handler(func(ctx context.Context, setup wireSetup) (wireReady, error) {
		source := &wireSource{records: someRecords(12 * perPage), total: setup.Records}
		ready := wireReady{Addresses: map[int]string{}}
		for _, record := range source.records {
			ready.Average += len(record.Data)
		}
		ready.Average /= len(source.records)
		for _, size := range setup.Sizes {
			address, err := serve(ctx, source, server.Options{BatchBytes: size})
			if err != nil {
				return ready, fmt.Errorf("messages of %s bytes: %w", strconv.Itoa(size), err)
			}
			ready.Addresses[size] = address
		}
		return ready, nil
	})}
}
