package main

import (
	"context"
	"encoding/json"
	"io"
	"runtime/debug"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/connector/stripe/takeover"
	"github.com/stripe-connector/stripe-connector/edge/singer"
	"github.com/stripe-connector/stripe-connector/server"
)

// expandedColumns are columns of the tap that Stripe shows only on request. A Read over gRPC doesn't request them.
var expandedColumns = []string{"refunds", "sources", "subscriptions", "tax_ids"}

// newSingerWorker returns a reader that writes Singer's messages to another process.
func newSingerWorker() worker { return worker{"read": handler(readSinger)} }

func readSinger(ctx context.Context, o readOrder) (m measurement, err error) {
	debug.SetGCPercent(server.GCPercent)
	config, err := json.Marshal(map[string]any{
		"client_secret": o.Key, "api_base": o.APIBase, "max_requests_per_second": unlimited,
		"start_date": time.Now().UTC().AddDate(-1, 0, -7).Format(time.RFC3339),
	})
	if err != nil {
		return m, err
	}
	var streams []any
	for _, name := range o.Streams {
		words := []any{map[string]any{"breadcrumb": []string{}, "metadata": map[string]bool{"selected": true}}}
		for _, column := range expandedColumns {
			words = append(words, map[string]any{"breadcrumb": []string{"properties", column}, "metadata": map[string]bool{"selected": false}})
		}
		streams = append(streams, map[string]any{"tap_stream_id": name, "metadata": words})
	}
	catalog, err := json.Marshal(map[string]any{"streams": streams})
	if err != nil {
		return m, err
	}
	return piped(ctx, func(out io.Writer) error {
		tap, source, err := takeover.NewSinger(config, time.Now())
		if err != nil {
			return err
		}
		r := singer.Runner{Source: stripe.New(stripe.Options{AllowedAPIBases: tap.APIBases()}), Tap: tap, Stdout: out, Log: singer.NewLog(io.Discard)}
		for _, s := range tap.Streams() {
			r.Streams = append(r.Streams, singer.Stream(s))
		}
		return r.Run(ctx, singer.Call{Config: source, Catalog: catalog})
	})
}
