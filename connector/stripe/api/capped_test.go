package api_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api/limit"
)

// TestLowCapAffectsOnlyItsCallers has two clients of one account, one of which asks for next to nothing.
func TestLowCapAffectsOnlyItsCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := roundTrip(func(req *http.Request) (*http.Response, error) { return answer(req, 200, nil, list), nil })
		limits := limit.NewRegistry()
		options := api.Options{Key: connector.NewSecret("rk_live_1"), Transport: transport, Limits: limits}
		free := api.New(options)
		options.MaxRequestsPerSecond = 0.1
		capped := api.New(options)
		took := func(c *api.Client, requests int) time.Duration {
			began := time.Now()
			for range requests {
				if _, err := c.List(t.Context(), "/v1/charges", nil); err != nil {
					t.Fatal(err)
				}
			}
			return time.Since(began)
		}
		if d := took(capped, 3); d < 15*time.Second {
			t.Errorf("three capped requests took %s", d)
		}
		if d := took(free, 50); d > 5*time.Second {
			t.Errorf("50 requests of the other client took %s", d)
		}
	})
}
