package main

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// manyChildren returns an account with several thousand objects, many of which have children.
func (b *bench) manyChildren() world {
	n := b.size(250, 120)
	return world{Objects: map[string]int{
		"/v1/customers": n, "/v1/invoices": 4 * n, "/v1/subscriptions": n, "/v1/checkout/sessions": 2 * n, "/v1/credit_notes": n,
		"/v1/setup_intents": n, "/v1/transfers": n, "/v1/application_fees": n, "/v1/payment_links": n / 2, "/v1/quotes": n / 2,
		"/v1/radar/value_lists": n / 4, "/v1/invoices/{invoice}/lines": 12, "/v1/charges": 2_500, "/v1/balance_transactions": 2_500,
	}}
}

// identify is the number of requests with which each Read determines the account and Stripe's time.
const identify = 1

// used is the number of requests with which a stream was read alone.
type used struct {
	stream                string
	child                 bool
	requests, minRequests int
}

// requests counts the requests for each stream alone, and for all streams together, and compares them with the
// minimum.
func requests(ctx context.Context, b *bench) (section, error) {
	stripe, err := b.simulate(ctx, b.manyChildren())
	if err != nil {
		return section{}, err
	}
	defer stripe.stop()
	ours, err := b.serve(ctx, stripe.url)
	if err != nil {
		return section{}, err
	}
	defer ours.stop()
	streams, err := discover(ctx, ours.address, stripe.url)
	if err != nil {
		return section{}, err
	}
	c := newCrawl(stripe.url)
	defer c.client.CloseIdleConnections()
	var each []used
	var readable []string
	lists := map[string]int{}
	for _, stream := range streams {
		took, skipped, err := count(ctx, stripe, ours, []string{stream.GetName()})
		if err != nil {
			return section{}, err
		}
		if skipped { // it exists in test mode only
			continue
		}
		minimum, err := c.minimum(ctx, stream.GetName())
		if err == nil {
			err = c.addLists(ctx, stream.GetName(), lists)
		}
		if err != nil {
			return section{}, err
		}
		readable = append(readable, stream.GetName())
		each = append(each, used{stream.GetName(), stream.GetParent() != "", took, minimum + identify})
	}
	together, _, err := count(ctx, stripe, ours, readable)
	if err != nil {
		return section{}, err
	}
	return requestsSection(each, together, total(lists)+identify), nil
}

// discover returns the streams of the catalog.
func discover(ctx context.Context, address, apiBase string) ([]*connectorv1.Stream, error) {
	c, err := client.Dial(address, client.Options{})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	config, err := structpb.NewStruct(map[string]any{"api_key": liveKey, "api_base": apiBase})
	if err != nil {
		return nil, err
	}
	catalog, err := c.Discover(ctx, &connectorv1.DiscoverRequest{Config: config})
	return catalog.GetStreams(), err
}

// count reads streams and returns the number of requests that the simulated Stripe received. It also reports whether
// a stream was skipped.
func count(ctx context.Context, stripe *simulated, ours *service, streams []string) (requests int, skipped bool, err error) {
	if err := stripe.reset(); err != nil {
		return 0, false, err
	}
	got, err := ours.read(ctx, readOrder{APIBase: stripe.url, Key: liveKey, Streams: streams, Unlimited: true}, "")
	if err != nil {
		return 0, false, fmt.Errorf("%v: %w", streams, err)
	}
	log, err := stripe.log()
	return len(log), len(got.Skipped) > 0, err
}

func requestsSection(each []used, together, minimum int) section {
	slices.SortStableFunc(each, func(a, b used) int { return b.minRequests - a.minRequests })
	t := table{head: []string{"stream, read alone", "requests", "minimum", "ratio"}}
	worst, plain := 0.0, 0
	for _, u := range each {
		worst = max(worst, ratio(float64(u.requests), float64(u.minRequests)))
		if !u.child && u.requests == u.minRequests {
			plain++
			continue
		}
		t.add(u.stream, fmt.Sprint(u.requests), fmt.Sprint(u.minRequests), times(ratio(float64(u.requests), float64(u.minRequests))))
	}
	all := ratio(float64(together), float64(minimum))
	t.add("all together", fmt.Sprint(together), fmt.Sprint(minimum), times(all))
	return section{
		setting: fmt.Sprintf("%d streams of an account with many children: invoices with twelve lines each, customers with sources and payment methods, "+
			"subscriptions with items, and so on. Every stream is read alone, then all are read together.", len(each)),
		tables: []table{t},
		remarks: []string{
			fmt.Sprintf("%d more streams have no parent, and took exactly one request per page.", plain),
			"The minimum is computed from the data by a simple crawl: one request that determines the account and the time at Stripe; one request per page of 100 of each required list; for each parent whose embedded " +
				"list is incomplete, the remaining pages; for each parent that may have children but embeds none, its own pages, at least one.",
		},
		targets: []target{
			atMost("requests of each stream read alone, against the minimum: the worst", worst, 1.05, times),
			atMost("requests of all streams together, against the minimum", all, 1.05, times),
		},
	}
}
