package stripetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// clock is a clock controlled by the test.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) options() Options { return Options{Now: func() time.Time { return c.now }} }

func (c *clock) wait(d time.Duration) { c.now = c.now.Add(d) }

// watched are the lists for which every change has an event containing the object.
var watched = map[string]string{"customer": "/v1/customers", "product": "/v1/products", "price": "/v1/prices", "plan": "/v1/plans",
	"coupon": "/v1/coupons", "invoice": "/v1/invoices", "subscription": "/v1/subscriptions", "charge": "/v1/charges",
	"payment_intent": "/v1/payment_intents", "dispute": "/v1/disputes", "payout": "/v1/payouts", "transfer": "/v1/transfers",
	"credit_note": "/v1/credit_notes", "invoiceitem": "/v1/invoiceitems"}

func snapshot(s *Stripe) map[string]map[string]string {
	all := map[string]map[string]string{}
	for object, path := range watched {
		all[object] = map[string]string{}
		for id, text := range s.Truth(path) {
			all[object][id] = string(text)
		}
	}
	return all
}

// TestEventsAnnounceEveryChange makes random changes and replays the events on a copy, which must end up equal to the truth.
func TestEventsAnnounceEveryChange(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		c, random := newClock(), rand.New(rand.NewPCG(seed, 0))
		options := c.options()
		options.Seed = seed
		s := New(options)
		replica := snapshot(s)
		since := c.now.Unix()
		for range 200 {
			change(t, s, random)
			if random.IntN(3) == 0 {
				c.wait(time.Duration(random.IntN(3000)) * time.Millisecond)
			}
		}
		ids, events := readAll(t, s, "/v1/events", fmt.Sprintf("created[gte]=%d", since), "100")
		slices.Reverse(ids)
		if len(ids) < 150 {
			t.Errorf("200 changes left only %d events", len(ids))
		}
		for _, id := range ids {
			replay(t, replica, events[id])
		}
		truth := snapshot(s)
		for object := range watched {
			if diff := cmp.Diff(truth[object], replica[object]); diff != "" {
				t.Errorf("seed %d, %s: the events do not lead to the truth: %.3000s", seed, object, diff)
			}
		}
	}
}

// change makes one random change.
func change(t *testing.T, s *Stripe, random *rand.Rand) {
	t.Helper()
	path := slices.Sorted(maps.Values(watched))[random.IntN(len(watched))]
	ids := slices.Sorted(maps.Keys(maps.Collect(s.Truth(path))))
	id := ids[random.IntN(len(ids))]
	var err error
	switch random.IntN(8) {
	case 0:
		_, err = s.Create(path)
	case 1:
		_, err = s.Create("/v1/refunds")
	case 2:
		_, err = s.Create("/v1/invoices/" + newestID(s, "/v1/invoices") + "/lines")
	case 3:
		if !strings.Contains("/v1/charges/v1/payment_intents/v1/disputes/v1/payouts/v1/transfers/v1/credit_notes", path) {
			err = s.Delete(id)
		}
	case 4:
		var items []string
		for item := range s.Truth("/v1/subscription_items") {
			items = append(items, item)
		}
		slices.Sort(items)
		err = s.Update(items[random.IntN(len(items))])
	case 5:
		_, err = s.Create("/v1/subscription_items", Fields{"subscription": newestID(s, "/v1/subscriptions")})
		if err != nil && strings.Contains(err.Error(), "the most") {
			err = nil
		}
	default:
		err = s.Update(id)
	}
	if err != nil && !strings.Contains(err.Error(), "the most that it can have") {
		t.Fatal(err)
	}
}

func newestID(s *Stripe, path string) string {
	for id := range s.Truth(path) {
		return id
	}
	return ""
}

// replay applies an event to a replica.
func replay(t *testing.T, replica map[string]map[string]string, text json.RawMessage) {
	t.Helper()
	e := decode[struct {
		Type, APIVersion string
		Data             struct{ Object json.RawMessage }
	}](t, text)
	object := decode[struct{ ID, Object string }](t, e.Data.Object)
	objects := replica[object.Object]
	switch {
	case objects == nil:
	case strings.HasSuffix(e.Type, ".deleted") && e.Type != "customer.subscription.deleted":
		if objects[object.ID] == "" {
			t.Errorf("%s of %s, which is not there", e.Type, object.ID)
		}
		delete(objects, object.ID)
	default:
		objects[object.ID] = compact(t, e.Data.Object)
	}
}

func TestCreateWithFields(t *testing.T) {
	c := newClock()
	s := New(c.options())
	customer := newestID(s, "/v1/customers")
	id, err := s.Create("/v1/subscriptions", Fields{"customer": customer, "status": "trialing"})
	if err != nil {
		t.Fatal(err)
	}
	got := fetch[struct {
		ID, Customer, Status string
		Created              int64
	}](t, s, "/v1/subscriptions/"+id)
	if got.ID != id || got.Customer != customer || got.Status != "trialing" || got.Created != c.now.Unix() {
		t.Errorf("%+v", got)
	}
	if newest := fetch[page](t, s, "/v1/subscriptions?limit=1&customer="+customer).Data[0]; idOf(t, newest) != id {
		t.Errorf("the newest subscription is %s", idOf(t, newest))
	}
	for _, bad := range []struct {
		path   string
		fields Fields
	}{{"/v1/nonsense", nil}, {"/v1/charges/ch_x", nil}, {"/v1/charges", Fields{"customer": "cus_none"}},
		{"/v1/subscriptions", Fields{"status": "bogus"}}, {"/v1/country_specs", nil}, {"/v1/subscription_items", nil},
		{"/v1/invoices/in_none/lines", nil}, {"/v1/events", nil}} {
		if id, err := s.Create(bad.path, bad.fields); err == nil {
			t.Errorf("created %s in %+v", id, bad)
		}
	}
	if s.Update("ch_none") == nil || s.Delete("ch_none") == nil || s.Delete(newestID(s, "/v1/charges")) == nil {
		t.Error("changed what does not exist, or deleted what Stripe does not delete")
	}
}

// TestCanceledSubscriptionLeavesTheDefaultList checks that a canceled subscription also stops working as a cursor.
func TestCanceledSubscriptionLeavesTheDefaultList(t *testing.T) {
	s := New(newClock().options())
	id := idOf(t, fetch[page](t, s, "/v1/subscriptions?limit=1").Data[0])
	if err := s.Delete(id); err != nil {
		t.Fatal(err)
	}
	all, _ := readAll(t, s, "/v1/subscriptions", "status=all", "100")
	active, _ := readAll(t, s, "/v1/subscriptions", "", "100")
	if !slices.Contains(all, id) || slices.Contains(active, id) {
		t.Errorf("%s: in all: %v, in the default list: %v", id, slices.Contains(all, id), slices.Contains(active, id))
	}
	if status, e := errorOf(t, s, "/v1/subscriptions?starting_after="+id); status != 400 || e.Code != "resource_missing" {
		t.Error(status, e)
	}
	events, _ := readAll(t, s, "/v1/events", "type=customer.subscription.deleted", "100")
	if len(events) != 1 {
		t.Errorf("%d events", len(events))
	}
}

// TestBalanceTransactionsSettle checks that balance transactions settle without an event.
func TestBalanceTransactionsSettle(t *testing.T) {
	c := newClock()
	s := New(c.options())
	id, err := s.Create("/v1/balance_transactions")
	if err != nil {
		t.Fatal(err)
	}
	status := func() string {
		return fetch[struct{ Status string }](t, s, "/v1/balance_transactions/"+id).Status
	}
	events := s.Count("/v1/events")
	early := status()
	c.wait(4 * 24 * time.Hour)
	if late := status(); early != "pending" || late != "available" || s.Count("/v1/events") > events {
		t.Errorf("%s, later %s", early, late)
	}
}

// TestPaidOutTransactionsAreAvailable checks that an automatic payout consists of available balance transactions.
func TestPaidOutTransactionsAreAvailable(t *testing.T) {
	s := New(newClock().options())
	payout, err := s.Create("/v1/payouts", Fields{"automatic": true})
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if _, err := s.Create("/v1/balance_transactions", Fields{"payout": payout}); err != nil {
			t.Fatal(err)
		}
	}
	listed, _ := readAll(t, s, "/v1/balance_transactions", "payout="+payout, "100")
	for _, id := range listed {
		if transaction := fetch[struct{ Status string }](t, s, "/v1/balance_transactions/"+id); transaction.Status != "available" {
			t.Errorf("%s is %s", id, transaction.Status)
		}
	}
	if len(listed) == 0 {
		t.Error("no transaction was paid out")
	}
}

// TestEmbeddedBalanceTransactionsStay checks that embedded balance transactions do not change when they settle, since no event
// announces that.
func TestEmbeddedBalanceTransactionsStay(t *testing.T) {
	c := newClock()
	options := c.options()
	options.Start, options.End = c.now.Add(-48*time.Hour), c.now
	s := New(options)
	pending := func() map[string]string {
		found := map[string]string{}
		for _, path := range []string{"/v1/issuing/authorizations", "/v1/disputes"} {
			for id, raw := range s.Truth(path) {
				var object struct {
					Transactions []struct{ Status string } `json:"balance_transactions"`
				}
				if err := json.Unmarshal(raw, &object); err != nil {
					t.Fatal(err)
				}
				if len(object.Transactions) > 0 && object.Transactions[0].Status == "pending" {
					found[id] = string(raw)
				}
			}
		}
		return found
	}
	early := pending()
	c.wait(4 * 24 * time.Hour)
	if late := pending(); len(early) == 0 || !maps.Equal(early, late) {
		t.Errorf("%d embed a pending balance transaction, later %d", len(early), len(late))
	}
}

func TestConcurrentUse(t *testing.T) {
	s, client := serve(t, newClock().options())
	done := make(chan bool)
	go func() {
		defer close(done)
		random := rand.New(rand.NewPCG(1, 1))
		for range 100 {
			change(t, s.Stripe, random)
		}
	}()
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		default:
		}
		path := []string{"/v1/charges?expand[]=data.customer", "/v1/events", "/v1/invoices", "/v1/refunds"}[i%4]
		if response, body, err := try(t, t.Context(), client, s.URL+path); err != nil || response.StatusCode != http.StatusOK || !json.Valid([]byte(body)) {
			t.Errorf("%s: %v %.200s", path, err, body)
		}
	}
}

// TestChangesAnnouncedByOthers creates and changes objects whose changes are announced only by another object's events.
func TestChangesAnnouncedByOthers(t *testing.T) {
	for path, want := range map[string]struct{ relation, teller, created, updated string }{
		"/v1/refunds": {"charge", "/v1/charges", "charge.refunded", "charge.refund.updated"},
		"/v1/financial_connections/transactions": {"account", "/v1/financial_connections/accounts",
			"financial_connections.account.refreshed_transactions", "financial_connections.account.refreshed_transactions"},
		"/v1/setup_attempts": {"setup_intent", "/v1/setup_intents", "setup_intent.setup_failed", "setup_intent.setup_failed"},
	} {
		c := newClock()
		s := New(c.options())
		teller := newestID(s, want.teller)
		wantEvent := func(kind string) {
			t.Helper()
			text := fetch[struct {
				Data []struct {
					Type string
					Data struct{ Object map[string]any }
				}
			}](t, s, "/v1/events?limit=1").Data[0]
			text.Type = strings.Replace(text.Type, "setup_intent.succeeded", "setup_intent.setup_failed", 1)
			if id := text.Data.Object["id"]; text.Type != kind || id != teller && kind != "charge.refund.updated" {
				t.Errorf("%s: told by %s of %s, want %s of %s", path, text.Type, id, kind, teller)
			}
			if attempt := text.Data.Object["latest_attempt"]; path == "/v1/setup_attempts" && attempt != newestID(s, path) {
				t.Errorf("the latest attempt is %v", attempt)
			}
		}
		id, err := s.Create(path, Fields{want.relation: teller})
		if err != nil {
			t.Fatal(err)
		}
		wantEvent(want.created)
		c.wait(time.Second)
		if err := s.Update(id); err != nil {
			t.Fatal(err)
		}
		wantEvent(want.updated)
	}
}

// TestDetachedPaymentMethod checks that a detachment's event shows the payment method without a customer.
func TestDetachedPaymentMethod(t *testing.T) {
	s := New(newClock().options())
	id, err := s.Create("/v1/customers/" + newestID(s, "/v1/customers") + "/payment_methods")
	if err == nil {
		err = s.Delete(id)
	}
	if err != nil {
		t.Fatal(err)
	}
	events, texts := readAll(t, s, "/v1/events", "type=payment_method.detached", "1")
	object := decode[struct {
		Data struct{ Object map[string]any }
	}](t, texts[events[0]]).Data.Object
	if customer, there := object["customer"]; object["id"] != id || customer != nil || !there {
		t.Errorf("detached: %v", object)
	}
}
