package stripe_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// settle syncs until every late change must have become visible and been swept: 1.1 times the overlap of 300 s.
func (r *replica) settle() {
	r.t.Helper()
	for range 8 {
		r.clock = r.clock.Add(time.Minute)
		r.sync()
	}
}

// TestBusyAccount syncs an account with 140 changes per second, whose events become visible up to 20 seconds late. All
// changes must be applied, and the state must stay small.
func TestBusyAccount(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes with the race detector")
	}
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"/v1/charges": 300, "/v1/coupons": 50}, EventDelay: 20 * time.Second}, "charges", "coupons", "events")
	r.sync()
	traffic := r.stripe.Traffic(1, "/v1/charges", "/v1/coupons")
	changes := 0
	for second := range 75 {
		r.clock = r.clock.Add(time.Second)
		for range 140 {
			if _, err := traffic.Change(); err != nil {
				t.Fatal(err)
			}
			changes++
		}
		if second%15 == 14 {
			r.sync()
			for stream, state := range r.states {
				if len(state.State) > 8192 {
					t.Errorf("the state of %s has %d bytes, want at most 8192", stream, len(state.State))
				}
			}
		}
	}
	r.settle()
	r.expectTruth()
	if got, want := len(r.rows["events"]), len(r.ids("/v1/events")); got != want {
		t.Errorf("%d of %d events arrived after %d changes", got, want, changes)
	}
}

// TestObjectsThatAppearLate creates customers whose events are visible before they are, so a 404 doesn't mean that they
// were deleted. Their events have payloads of another version, so each customer is read by id.
func TestObjectsThatAppearLate(t *testing.T) {
	r := newReplica(t, stripetest.Options{
		Objects: map[string]int{"/v1/customers": 5}, OldEvents: 1, RetrieveDelay: 20 * time.Second, ObjectDelay: 20 * time.Second,
	}, "customers")
	r.sync()
	for n := range 120 {
		r.clock = r.clock.Add(1500 * time.Millisecond)
		if _, err := r.stripe.Create("/v1/customers"); err != nil {
			t.Fatal(err)
		}
		if n%10 == 9 {
			r.sync()
		}
	}
	r.settle()
	r.expectTruth()
}

// TestDeletionWithoutAnEvent checks that a row is deleted once the overlap is over if its object is really gone.
func TestDeletionWithoutAnEvent(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"/v1/coupons": 20}, OldEvents: 1}, "coupons")
	r.sync()
	id := r.ids("/v1/coupons")[3]
	r.clock = r.clock.Add(time.Minute)
	ok(t, r.stripe.Update(id))
	ok(t, r.stripe.Silent().Delete(id))
	r.settle()
	r.expectTruth()
}

// TestWrongClocks syncs with a local clock that is ten minutes fast or slow, or jumps back and forth. The rows must be
// correct all the same.
func TestWrongClocks(t *testing.T) {
	for name, skew := range map[string]func(round int) time.Duration{
		"fast":    func(int) time.Duration { return 10 * time.Minute },
		"slow":    func(int) time.Duration { return -10 * time.Minute },
		"jumping": func(round int) time.Duration { return time.Duration(round%3-1) * 25 * time.Minute },
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 20}}, "charges", "customers", "invoices", "invoice_line_items", "balance_transactions", "refunds", "events")
			for round := range 12 {
				if now := skew(round); now != r.skew {
					r.skew = now
					r.restart() // a running process uses a monotonic clock, which doesn't jump
				}
				if sink, _ := r.sync(); round == 0 && !sink.hasLog("The local clock is") {
					t.Error("no warning about the wrong clock")
				}
				for range 7 {
					r.clock = r.clock.Add(20 * time.Second)
					for _, path := range []string{"/v1/charges", "/v1/customers", "/v1/invoices", "/v1/balance_transactions"} {
						if _, err := r.stripe.Create(path); err != nil {
							t.Fatal(err)
						}
						ids := r.ids(path)
						ok(t, r.stripe.Update(ids[round]))
					}
				}
			}
			for range 12 {
				r.clock = r.clock.Add(5 * time.Minute)
				r.sync()
			}
			r.expectTruth()
		})
	}
}

// TestUnknownTime starts a Read by a wrong clock while a proxy responds in Stripe's place. Without Stripe's time, its states would be
// from the future.
func TestUnknownTime(t *testing.T) {
	r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 20}}, "charges")
	r.skew = 3 * time.Hour
	source := stripe.New(stripe.Options{
		AllowedAPIBases: []string{r.stripe.URL}, Now: func() time.Time { return r.clock.Add(r.skew) }, Retry: api.Retry{Initial: time.Millisecond, Budget: 5 * time.Millisecond},
	})
	repair := r.stripe.Inject(stripetest.Fault{Kind: stripetest.BadGateway, Path: "/v1/account"})
	sink := &recorder{}
	summary, err := source.Read(t.Context(), connector.ReadRequest{Config: connector.NewConfig(r.config), Streams: selected("charges")}, sink)
	if err != nil || summary.Streams[0].Status != connector.Incomplete || !summary.Streams[0].Failure.Retryable {
		t.Errorf("got %+v and the error %v", summary.Streams, err)
	}
	for _, m := range sink.messages {
		switch m.(type) {
		case *connector.StateCheckpoint, *connector.RecordBatch:
			t.Errorf("got %+v", m)
		}
	}
	repair()
	r.sync()
	r.expectTruth()
}

// TestStatesOfOtherAccounts reads with the state of another account, in every combination. Each is rejected, naming the
// state.
func TestStatesOfOtherAccounts(t *testing.T) {
	for name, from := range map[string][2]int{
		"from a connected account to the own":   {1, 0},
		"from the own to a connected account":   {0, 1},
		"from one connected account to another": {1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplica(t, stripetest.Options{Objects: map[string]int{"/v1/charges": 20}, Accounts: 2}, "charges")
			accounts := append([]string{""}, r.stripe.ConnectedAccounts()...)
			plain := strings.TrimSuffix(r.config, "}")
			configure := func(account string) {
				if r.config = plain + "}"; account != "" {
					r.config = fmt.Sprintf(`%s,"account":%q}`, plain, account)
				}
			}
			configure(accounts[from[0]])
			r.sync()
			configure(accounts[from[1]])
			state := r.states["charges"]
			state.Account = accounts[from[1]]
			_, err := r.source.Read(t.Context(), connector.ReadRequest{
				Config:  connector.NewConfig(r.config),
				Streams: []connector.ConfiguredStream{{Stream: "charges", SyncMode: connector.Incremental}},
				States:  []connector.StreamState{state},
			}, &recorder{})
			failure, isFailure := errors.AsType[*connector.Failure](err)
			if !isFailure || failure.Class != connector.ConfigError || len(failure.Violations) != 1 || failure.Violations[0].Field != "states[0].content" {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestOtherKeys reads with another key than the state was read with. A key of the same account resumes; one of another
// account is rejected, and so is one whose account can't be determined.
func TestOtherKeys(t *testing.T) {
	some := []string{"rak_charge_read", "rak_event_read"}
	for name, test := range map[string]struct {
		permissions []string
		other       bool // the key belongs to another account
		silent      bool // the account can't be determined
		refused     string
	}{
		"of the same account":                         {nil, false, false, ""},
		"of another account":                          {nil, true, false, "belongs to account"},
		"that names the account in a refusal":         {some, false, false, ""},
		"of another account, which a refusal reveals": {some, true, false, "belongs to account"},
		"whose account is unknown":                    {nil, false, true, "can't read its account"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplica(t, stripetest.Options{
				Objects: map[string]int{"/v1/charges": 20}, Accounts: 1, Keys: map[string]stripetest.Key{"sk_test_123": {}},
			}, "charges")
			key, description := "rk_test_456", stripetest.Key{Permissions: test.permissions}
			if test.permissions == nil {
				key = "sk_test_456"
			}
			if test.other {
				description.Account = r.stripe.ConnectedAccounts()[0]
			}
			r.stripe.SetKey(key, description)
			r.sync()
			r.clock = r.clock.Add(time.Hour)
			if test.silent {
				r.stripe.Inject(stripetest.Fault{Kind: stripetest.OAuthNotSupported, Path: "/v1/account"})
			}
			_, err := r.source.Read(t.Context(), connector.ReadRequest{
				Config:  connector.NewConfig(strings.Replace(r.config, "sk_test_123", key, 1)),
				Streams: []connector.ConfiguredStream{{Stream: "charges", SyncMode: connector.Incremental}},
				States:  []connector.StreamState{r.states["charges"]},
			}, &recorder{})
			if got := fmt.Sprint(err); (err != nil) != (test.refused != "") || !strings.Contains(got, test.refused) {
				t.Errorf("got %v, want %q", err, test.refused)
			}
		})
	}
}
