package limit_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/api/limit"
)

// TestTinyRateWaits has a rate whose next token is further away than a duration can hold.
func TestTinyRateWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := limit.NewRegistry().Cap(limit.AccountOf(liveKey), 1e-10)
		began, permits := time.Now(), 0
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for {
			permit, err := limiter.Acquire(ctx, "/v1/charges", nil)
			if err != nil {
				break
			}
			permits++
			permit.Release(http.StatusOK, nil)
		}
		if waited := time.Since(began); permits > 1 || waited < time.Minute {
			t.Errorf("%d requests passed, and waiting ended after %s", permits, waited)
		}
	})
}

// TestCapsAreShared has three callers of an account: two with the same cap, who share it, and one without, who doesn't notice.
func TestCapsAreShared(t *testing.T) {
	r := limit.NewRegistry()
	account := limit.AccountOf(liveKey)
	first := r.Cap(account, 5)
	if second := r.Cap(account, 5); first != second {
		t.Error("callers with the same cap don't share it")
	}
	if r.Cap(account, 5) == r.Cap(account, 0.1) || r.Cap(account, 5) == r.Cap(limit.AccountOf(sandboxKey), 5) {
		t.Error("callers with different caps, or of different accounts, share one")
	}
	if pace := r.Pace(); pace.Accounts != 0 {
		t.Errorf("caps count as %d accounts", pace.Accounts)
	}
}
