package main

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/connector/stripe/takeover"
	"github.com/stripe-connector/stripe-connector/edge/singer"
	"github.com/stripe-connector/stripe-connector/server"
)

// expandedColumns are the columns of the tap that cost more than the objects themselves. A Read over gRPC doesn't request them.
var expandedColumns = []string{"refunds", "sources", "subscriptions", "tax_ids"}

// lineCounter counts the bytes and lines written to it.
type lineCounter struct{ lines, bytes int }

func (c *lineCounter) Write(text []byte) (int, error) {
	for _, b := range text {
		if b == '\n' {
			c.lines++
		}
	}
	c.bytes += len(text)
	return len(text), nil
}

// newSingerWorker returns a worker that runs the tap, and counts and discards its messages.
func newSingerWorker() worker { return worker{"read": handler(tapRead)} }

func tapRead(ctx context.Context, o order) (measurement, error) {
	debug.SetGCPercent(server.GCPercent)
	config, err := json.Marshal(map[string]any{
		"client_secret": o.Key, "api_base": o.APIBase, "max_requests_per_second": unlimited,
		"start_date": time.Now().UTC().AddDate(-1, 0, -7).Format(time.RFC3339),
	})
	if err != nil {
		return measurement{}, err
	}
	type metadata struct {
		Breadcrumb []string        `json:"breadcrumb"`
		Metadata   map[string]bool `json:"metadata"`
	}
	type stream struct {
		ID       string     `json:"tap_stream_id"`
		Metadata []metadata `json:"metadata"`
	}
	var streams []stream
	for _, name := range o.Streams {
		s := stream{name, []metadata{{[]string{}, map[string]bool{"selected": true}}}}
		for _, column := range expandedColumns {
			s.Metadata = append(s.Metadata, metadata{[]string{"properties", column}, map[string]bool{"selected": false}})
		}
		streams = append(streams, s)
	}
	catalog, err := json.Marshal(map[string]any{"streams": streams})
	if err != nil {
		return measurement{}, err
	}
	var out, log lineCounter
	m, err := measured(func() error {
		tap, source, err := takeover.NewSinger(config, time.Now())
		if err != nil {
			return err
		}
		r := singer.Runner{Source: stripe.New(stripe.Options{AllowedAPIBases: tap.APIBases()}), Tap: tap, Stdout: &out, Log: singer.NewLog(&log)}
		for _, s := range tap.Streams() {
			r.Streams = append(r.Streams, singer.Stream(s))
		}
		return r.Run(ctx, singer.Call{Config: source, Catalog: catalog})
	})
	m.Records = out.lines
	return m, err
}

// asTap compares the cost of a record as a Singer message with that of the same record over gRPC.
func asTap(ctx context.Context, b *bench) (section, error) {
	data := typically(b.size(120_000, 10_000))
	stripe, err := b.simulateData(ctx, data, world{})
	if err != nil {
		return section{}, err
	}
	defer stripe.stop()
	o := order{APIBase: stripe.url, Key: liveKey, Streams: data.streams(), Unlimited: true}
	var overGRPC, service, tap rounds
	for range b.rounds() {
		s, both, err := b.overGRPC(ctx, o)
		if err != nil {
			return section{}, err
		}
		var m measurement
		if err := b.once(ctx, "singer", "read", o, &m); err != nil {
			return section{}, err
		}
		if m.Records < total(data) {
			return section{}, fmt.Errorf("the tap wrote %d lines for %d objects", m.Records, total(data))
		}
		overGRPC, service, tap = append(overGRPC, both), append(service, s), append(tap, m)
	}
	t := table{head: []string{"reader", "processor time per record", "peak memory"}}
	for _, row := range []struct {
		name string
		r    rounds
	}{{"gRPC, service and client", overGRPC}, {"gRPC, service alone", service}, {"Singer tap", tap}} {
		t.add(row.name, times(row.r.against(overGRPC, measurement.cost)), mebibytes(int64(row.r.median(func(m measurement) float64 { return float64(m.Peak) }))))
	}
	return section{
		setting: fmt.Sprintf("%d objects in %d lists. The same records over gRPC, to a client that counts and discards them, and as the lines of a Singer tap, "+
			"which are counted and discarded.", total(data), len(data)),
		tables:  []table{t},
		remarks: []string{"The tap gives each record the shape of its table: times as text, lists as arrays, and only the columns of the table."},
		targets: []target{atMost("processor time of the tap per record, against service and client over gRPC", tap.against(overGRPC, measurement.cost), 1.3, times)},
	}, nil
}

// overGRPC reads over gRPC. It returns what the service used, and what the service and the client used together.
func (b *bench) overGRPC(ctx context.Context, o order) (service, both measurement, err error) {
	s, err := b.serve(ctx, o.APIBase)
	if err != nil {
		return service, both, err
	}
	defer s.stop()
	o.Target = s.address
	var before, after usage
	if err := s.do("usage", struct{}{}, &before); err != nil {
		return service, both, err
	}
	var got delivery
	if err := b.once(ctx, "read", "read", o, &got); err != nil {
		return service, both, err
	}
	if err := s.do("usage", struct{}{}, &after); err != nil {
		return service, both, err
	}
	service, both = got.measurement, got.measurement
	service.CPU, service.Peak = after.CPU-before.CPU, after.Peak
	both.CPU, both.Peak = both.CPU+service.CPU, both.Peak+service.Peak
	return service, both, nil
}
