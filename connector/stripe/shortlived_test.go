package stripe_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// TestShortLivedReads kills each Read after 1 to 2.5 seconds of simulated time. Stripe takes 150 ms per response and
// enforces its limits. A list of invoices, each of which needs a request for its lines, must be read to its end using only
// what was received before the last states.
func TestShortLivedReads(t *testing.T) {
	const most = 150 // Reads; about 20 would suffice if nothing were read twice
	for name, newestFirst := range map[string]bool{"in parallel": false, "newest first": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := stripetest.New(stripetest.Options{
					Objects: map[string]int{"*": 0, "/v1/invoices": 400, "/v1/invoices/{invoice}/lines": 12}, Accounts: -1,
					Latency: func(string) time.Duration { return 150 * time.Millisecond }, Limits: stripetest.LiveLimits(),
				})
				defer server.Close()
				copied := newReplicas(offered(t), true)
				copied.add("invoices")
				copied.add("invoice_line_items")
				random := rand.New(rand.NewPCG(1, 2))
				for reads := 1; ; reads++ {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second+time.Duration(random.Int64N(int64(1500*time.Millisecond))))
					sink := recorder{}
					req := connector.ReadRequest{Config: connector.NewConfig(`{"api_key":"sk_test_123","api_base":"` + simulated + `"}`), NewestFirst: newestFirst}
					req.Streams, req.States = copied.request()
					// A returning client finds a new process.
					source := stripe.New(stripe.Options{AllowedAPIBases: []string{simulated}, Transport: inMemory{server}})
					_, err := source.Read(ctx, req, &sink)
					cancel()
					copied.store(sink.messages)
					if err == nil {
						t.Logf("%d Reads", reads)
						break
					}
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Fatal(err)
					}
					if reads == most {
						t.Fatalf("after %d Reads there are only %d invoices and %d lines", reads, len(copied.tables["invoices"].rows), len(copied.tables["invoice_line_items"].rows))
					}
				}
				for stream, path := range map[string]string{"invoices": "/v1/invoices", "invoice_line_items": "/v1/invoices/{invoice}/lines"} {
					if got, want := len(copied.tables[stream].rows), server.Count(path); got != want {
						t.Errorf("%d rows of %s, want %d", got, stream, want)
					}
				}
			})
		})
	}
}

// TestShortLivedReadsPassBrokenObjects kills each Read early while Stripe can't return some objects. All others must be
// read. The search for one such object takes a few seconds, during which nothing can be committed.
func TestShortLivedReadsPassBrokenObjects(t *testing.T) {
	const most, charges = 60, 300 // Reads; about 10 would suffice if nothing were read twice
	synctest.Test(t, func(t *testing.T) {
		server := stripetest.New(stripetest.Options{
			Objects: map[string]int{"*": 0, "/v1/charges": charges}, Accounts: -1,
			Latency: func(string) time.Duration { return 150 * time.Millisecond }, Limits: stripetest.LiveLimits(),
		})
		defer server.Close()
		i, broken := 0, 0
		for id := range server.Truth("/v1/charges") {
			if i++; i%70 == 35 {
				broken++
				server.Break(id, stripetest.ServerError)
			}
		}
		copied := newReplicas(offered(t), true)
		copied.add("charges")
		random := rand.New(rand.NewPCG(1, 2))
		var summary connector.Summary
		for reads := 1; ; reads++ {
			ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second+time.Duration(random.Int64N(int64(3*time.Second))))
			sink := recorder{}
			req := connector.ReadRequest{Config: connector.NewConfig(`{"api_key":"sk_test_123","api_base":"` + simulated + `"}`)}
			req.Streams, req.States = copied.request()
			source := stripe.New(stripe.Options{AllowedAPIBases: []string{simulated}, Transport: inMemory{server}})
			var err error
			summary, err = source.Read(ctx, req, &sink)
			cancel()
			copied.store(sink.messages)
			if err == nil {
				t.Logf("%d Reads", reads)
				break
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			if reads == most {
				t.Fatalf("after %d Reads, there are %d charges", reads, len(copied.tables["charges"].rows))
			}
		}
		if got := len(copied.tables["charges"].rows); got != charges-broken || summary.Streams[0].SetAsideTotal != int64(broken) {
			t.Errorf("%d rows and %d set aside, want %d and %d", got, summary.Streams[0].SetAsideTotal, charges-broken, broken)
		}
	})
}
