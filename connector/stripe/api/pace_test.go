package api_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api/limit"
)

func TestRateLimitWaitsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := api.New(api.Options{Key: connector.NewSecret(key), MaxRequestsPerSecond: 0.1, Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
			return answer(req, 200, nil, list), nil
		})})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		var readers sync.WaitGroup
		for range 3 { // one is admitted; the others wait until the context ends
			readers.Go(func() { _, _ = c.List(ctx, "/v1/charges", nil) })
		}
		time.Sleep(time.Second)
		if until := time.Until(c.Meter.WaitingUntil(time.Now())); until < 5*time.Second || until > 30*time.Second {
			t.Errorf("the wait is expected to end in %v", until)
		}
		readers.Wait()
		if waited := c.Meter.Waited(); waited != 10*time.Second || c.Meter.Retries() != 0 || c.Meter.Requests() != 1 {
			t.Errorf("waited %v with %d retries and %d requests", waited, c.Meter.Retries(), c.Meter.Requests())
		}
	})
}

func TestClientsShareTheRateOfTheirAccount(t *testing.T) {
	limits := limit.NewRegistry()
	for _, o := range []api.Options{
		{Key: connector.NewSecret("sk_test_1")}, {Key: connector.NewSecret("sk_test_1")}, // these two share one
		{Key: connector.NewSecret("sk_test_1"), Account: "acct_2"}, {Key: connector.NewSecret("sk_test_1"), Base: "http://127.0.0.1:1"}, {Key: connector.NewSecret("sk_live_2")},
	} {
		o.Limits = limits
		api.New(o)
	}
	if pace := limits.Pace(); pace.Accounts != 4 || pace.Ceiling != 25+25+25+100 {
		t.Errorf("got %+v", pace)
	}
}

func TestPacedRefusalIsRetriedSooner(t *testing.T) {
	tests := map[string]struct {
		reason      string
		least, most time.Duration
	}{
		"the limiter backs off": {"global-rate", 0, 300 * time.Millisecond},
		"it doesn't":            {"resource-specific", 250 * time.Millisecond, 900 * time.Millisecond},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var times []time.Time
				c := client(roundTrip(func(req *http.Request) (*http.Response, error) {
					if times = append(times, time.Now()); len(times) < 7 {
						return answer(req, 429, http.Header{"Stripe-Rate-Limited-Reason": {test.reason}}, `{"error":{"code":"rate_limit"}}`), nil
					}
					return answer(req, 200, nil, list), nil
				}))
				if _, err := c.List(t.Context(), "/v1/charges", nil); err != nil {
					t.Fatal(err)
				}
				first, last := times[1].Sub(times[0]), times[6].Sub(times[5])
				if first < test.least || first > test.most || last < 2*time.Second {
					t.Errorf("first retry after %v, last retry after %v", first, last)
				}
			})
		})
	}
}
