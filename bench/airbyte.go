package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/connector/stripe/takeover"
	"github.com/stripe-connector/stripe-connector/edge/airbyte"
	"github.com/stripe-connector/stripe-connector/server"
)

// swallowMode is the mode of a child that discards its stdin.
const swallowMode = "swallow"

// newAirbyteWorker returns a reader that writes Airbyte's messages to another process.
func newAirbyteWorker() worker { return worker{"read": handler(readAirbyte)} }

func readAirbyte(ctx context.Context, o readOrder) (m measurement, err error) {
	debug.SetGCPercent(server.GCPercent)
	config, err := json.Marshal(map[string]any{
		"client_secret": o.Key, "api_base": o.APIBase, "call_rate_limit": unlimited,
		"start_date": time.Now().UTC().AddDate(-1, 0, -7).Truncate(24 * time.Hour).Format(time.RFC3339),
	})
	if err != nil {
		return m, err
	}
	dialect := takeover.NewAirbyte(time.Now)
	c := &airbyte.Connector{Source: stripe.New(stripe.Options{AllowedAPIBases: []string{o.APIBase}}), Dialect: dialect}
	var streams []any
	for _, s := range dialect.Streams() {
		c.Streams = append(c.Streams, airbyte.Stream{Name: s.Name, Source: s.Source, Key: s.Key, Cursor: s.Cursor})
	}
	for _, name := range o.Streams {
		streams = append(streams, map[string]any{"stream": map[string]any{"name": name}, "sync_mode": "full_refresh"})
	}
	catalog, err := json.Marshal(map[string]any{"streams": streams})
	if err != nil {
		return m, err
	}
	return piped(ctx, func(out io.Writer) error {
		c.Out = out
		return c.Read(ctx, config, catalog, nil)
	})
}

// piped measures work that writes to another process, which discards it.
func piped(ctx context.Context, work func(out io.Writer) error) (m measurement, err error) {
	executable, err := os.Executable()
	if err != nil {
		return m, err
	}
	swallow := exec.CommandContext(ctx, executable, childArgument, swallowMode)
	out, err := swallow.StdinPipe()
	if err != nil {
		return m, err
	}
	if err := swallow.Start(); err != nil {
		return m, err
	}
	m, err = measured(func() error { return work(out) })
	_ = out.Close()
	if ended := swallow.Wait(); err == nil {
		err = ended
	}
	return m, err
}

// edgeCost compares an edge with the service for the same records. mode is that of the child process which runs the edge.
func edgeCost(edgeName, mode string) func(context.Context, *bench) (section, error) {
	return func(ctx context.Context, b *bench) (section, error) { return b.edgeCost(ctx, edgeName, mode) }
}

func (b *bench) edgeCost(ctx context.Context, edgeName, mode string) (section, error) {
	data := typicalData(b.size(120_000, 10_000))
	stripe, err := b.simulateData(ctx, data, world{})
	if err != nil {
		return section{}, err
	}
	defer stripe.stop()
	o := readOrder{APIBase: stripe.url, Key: liveKey, Streams: data.streams(), Unlimited: true}
	var grpc, edge rounds
	for i := range b.rounds() {
		got, err := b.readWith(ctx, o, fmt.Sprintf("%s-%d", mode, i+1))
		if err == nil {
			err = got.complete(data)
		}
		if err != nil {
			return section{}, err
		}
		var m measurement
		if err := b.once(ctx, mode, "read", o, &m); err != nil {
			return section{}, err
		}
		m.Records = got.Records // the same objects
		grpc, edge = append(grpc, got.measurement), append(edge, m)
	}
	t := table{head: []string{"protocol", "records/s", "processor time per record", "peak memory"}}
	for _, row := range []struct {
		name string
		r    rounds
	}{{"gRPC, the service alone", grpc}, {edgeName, edge}} {
		t.add(row.name, times(row.r.against(grpc, measurement.rate)), times(row.r.against(grpc, measurement.cost)),
			mebibytes(int64(row.r.median(func(m measurement) float64 { return float64(m.Peak) }))))
	}
	return section{
		setting: fmt.Sprintf("%d objects in %d lists. The simulated Stripe responds at once and without limits. The messages go to another process, which discards them. "+
			"Ratios to the service.", total(data), len(data)),
		tables: []table{t},
		targets: []target{
			atMost("processor time of the "+edgeName+" edge per record, against the service", edge.against(grpc, measurement.cost), 1.3, times),
		},
	}, nil
}
