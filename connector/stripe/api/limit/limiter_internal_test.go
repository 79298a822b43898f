package limit

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stripe/stripe-mock/embedded"
	"pgregory.net/rapid"
)

func TestEndpoint(t *testing.T) {
	tests := map[string]string{
		"/v1/charges":                                     "/v1/charges",
		"/v1/charges/search":                              "/v1/charges/search",
		"/v1/charges/ch_1":                                "/v1/charges/{id}",
		"/v1/coupons/gold":                                "/v1/coupons/{id}",
		"/v1/invoices/in_1/lines":                         "/v1/invoices/{parent}/lines",
		"/v1/invoices/a%20b%2Fc%3Fd/lines":                "/v1/invoices/{parent}/lines",
		"/v1/invoices/upcoming/lines":                     "/v1/invoices/upcoming/lines",
		"/v1/billing/meters":                              "/v1/billing/meters",
		"/v1/billing/meters/mtr_1/event_summaries":        "/v1/billing/meters/{parent}/event_summaries",
		"/v1/application_fees/fee_1/refunds/fr_1":         "/v1/application_fees/{parent}/refunds/{id}",
		"/v1/checkout/sessions/cs_test_1/line_items":      "/v1/checkout/sessions/{parent}/line_items",
		"/v1/balance":                                     "/v1/balance",
		"/v1/test_helpers/test_clocks/clock_1":            "/v1/test_helpers/test_clocks/{id}",
		"/v1/reporting/report_types/balance.summary.1":    "/v1/reporting/report_types/{id}",
		"/v1/treasury/financial_accounts/fa_1/features":   "/v1/treasury/financial_accounts/{parent}/features",
		"/v1/customers/cus_1/cash_balance_transactions":   "/v1/customers/{parent}/cash_balance_transactions",
		"/v1/credit_notes/preview/lines":                  "/v1/credit_notes/preview/lines",
		"/v1/financial_connections/accounts/fca_1/owners": "/v1/financial_connections/accounts/{parent}/owners",
		"/": "/",
		"":  "",
	}
	for path, want := range tests {
		if got := Endpoint(path); got != want {
			t.Errorf("%s belongs to %s, want %s", path, got, want)
		}
	}
}

// TestEndpointOfEveryOperation covers all paths of Stripe's OpenAPI document.
func TestEndpointOfEveryOperation(t *testing.T) {
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(embedded.OpenAPISpec, &document); err != nil {
		t.Fatal(err)
	}
	parameter := regexp.MustCompile(`\{[^}]*\}`)
	operations := 0
	for path, methods := range document.Paths {
		if methods["get"] == nil {
			continue
		}
		operations++
		want := regexp.MustCompile(`\{parent\}$`).ReplaceAllString(parameter.ReplaceAllString(path, "{parent}"), "{id}")
		if got := Endpoint(parameter.ReplaceAllString(path, "x_1")); got != want {
			t.Errorf("%s is mistaken for %s", want, got)
		}
	}
	if operations < 200 {
		t.Errorf("only %d operations, want at least 200", operations)
	}
}

// TestBucketNeverExceedsCeiling takes tokens as fast as possible while the bucket backs off and changes at random.
func TestBucketNeverExceedsCeiling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ceiling := rapid.Float64Range(0.1, 500).Draw(t, "ceiling")
		now := time.Unix(1e9, 0)
		b := newBucket(ceiling, now)
		var taken []time.Time
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			switch rapid.IntRange(0, 20).Draw(t, "step") {
			case 0:
				b.yield(now.Add(-time.Duration(rapid.IntRange(0, 1000).Draw(t, "ms ago")) * time.Millisecond))
			case 1:
				now = now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "s")) * time.Second)
			case 2:
				b.setCeiling(rapid.Float64Range(0.1, ceiling).Draw(t, "cap"))
			case 3:
				now = now.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "ms")) * time.Millisecond)
			default:
				now = now.Add(b.untilToken())
			}
			b.advance(now)
			if b.rate > share*b.ceiling*1.001 || b.rate <= 0 || b.tokens > b.burst() {
				t.Fatalf("got %+v", b)
			}
			if b.untilToken() > 0 {
				continue
			}
			b.tokens--
			taken = append(taken, now)
			maximum := int(math.Ceil(ceiling))
			if i := len(taken) - 1 - maximum; i >= 0 && now.Sub(taken[i]) < time.Second {
				t.Fatalf("%d requests passed within %[3]v, with a ceiling of %[2]v/s", maximum+1, ceiling, now.Sub(taken[i]))
			}
		}
	})
}

func TestRegistryEvictsIdleAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := NewRegistry()
		of := func(n int) *Limiter { return registry.Of(AccountOf("sk_test_1", strconv.Itoa(n)), Documented("")) }
		for n := range 1000 {
			of(n)
			time.Sleep(time.Second)
		}
		if n := len(registry.accounts); n > 200 {
			t.Errorf("the registry keeps %d accounts, want at most 200", n)
		}
		busy := of(0)
		permit, err := busy.Acquire(t.Context(), "/v1/charges", nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		of(1)
		if busy != of(0) || len(registry.accounts) != 2 {
			t.Errorf("the registry evicted an account in use, or keeps too many: %d", len(registry.accounts))
		}
		permit.Release(0, nil)
	})
}

// TestAbandonAfterAdmission admits a request that has already been given up.
func TestAbandonAfterAdmission(t *testing.T) {
	l := newLimiter(Documented(""), time.Now())
	e, w := l.endpoint("/v1/charges"), make(waiter)
	e.waiting = append(e.waiting, w)
	l.admit()
	<-w
	l.abandon(e, w)
	if l.account.flight.running != 0 || e.flight.running != 0 || l.account.bucket.tokens < 1 || e.bucket.tokens < 1 || !l.isIdle() {
		t.Errorf("gates not restored: %+v and %+v", l.account, e.gate)
	}
}

func TestAcquireDoesNotAllocate(t *testing.T) {
	registry, account, c := NewRegistry(), AccountOf("key", "acct_1"), Documented("").Capped(1e12)
	if n := testing.AllocsPerRun(1000, func() {
		permit, err := registry.Of(account, c).Acquire(t.Context(), "/v1/charges", nil)
		if err != nil {
			t.Fatal(err)
		}
		permit.Release(200, nil)
	}); n > 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkAcquire(b *testing.B) {
	registry, account, c := NewRegistry(), AccountOf("key", "acct_1"), Documented("").Capped(1e12)
	b.ReportAllocs()
	for b.Loop() {
		permit, err := registry.Of(account, c).Acquire(b.Context(), "/v1/charges", nil)
		if err != nil {
			b.Fatal(err)
		}
		permit.Release(200, nil)
	}
}
