package limit_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api/limit"
)

func TestPaceSumsAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := limit.NewRegistry()
		request := func(key string, status int, header http.Header) {
			permit, err := registry.Of(limit.AccountOf(key), limit.Documented(key)).Acquire(t.Context(), "/v1/charges", nil)
			if err != nil {
				t.Fatal(err)
			}
			permit.Release(status, header)
		}
		request("sk_live_1", 200, nil)
		request("sk_test_2", 200, nil)
		full := registry.Pace()
		if full.Accounts != 2 || full.Ceiling != 125 || full.Allowed < 0.9*125 || full.Allowed > 125 || full.InFlight != 0 || full.Waiting != 0 {
			t.Errorf("at full rate: %+v", full)
		}
		request("sk_live_1", 429, http.Header{"Stripe-Rate-Limited-Reason": {"global-rate"}})
		if pace := registry.Pace(); pace.Allowed >= full.Allowed || pace.Ceiling != full.Ceiling {
			t.Errorf("after a refusal: %+v, before: %+v", pace, full)
		}
		time.Sleep(time.Hour)
		if pace := registry.Pace(); pace != (connector.Pace{}) {
			t.Errorf("an hour later: %+v", pace)
		}
	})
}

func TestLabelsAreFew(t *testing.T) {
	tests := map[string]struct {
		label string
		paced bool
	}{
		"global-rate":          {"global-rate", true},
		"global-concurrency":   {"global-concurrency", true},
		"endpoint-rate":        {"endpoint-rate", true},
		"endpoint-concurrency": {"endpoint-concurrency", true},
		"resource-specific":    {"resource-specific", false},
		"":                     {"unnamed", false},
		"sk_test_secret":       {"other", false},
	}
	for hit, want := range tests {
		if got := limit.Hit(http.Header{"Stripe-Rate-Limited-Reason": {hit}}); got != hit {
			t.Errorf("Hit returned %[2]q, want %[1]q", hit, got)
		}
		if limit.Label(hit) != want.label || limit.IsPaced(hit) != want.paced {
			t.Errorf("%q: got %q, %v", hit, limit.Label(hit), limit.IsPaced(hit))
		}
	}
}
