package business

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// sum adds up amount over the objects of a list.
func sum(t *testing.T, b *Business, path string, amount func(object map[string]any) float64) (total int64) {
	t.Helper()
	for _, raw := range b.Truth(path) {
		var object map[string]any
		if err := json.Unmarshal(raw, &object); err != nil {
			t.Fatal(err)
		}
		total += int64(amount(object))
	}
	return total
}

func number(object map[string]any, name string) float64 {
	n, _ := object[name].(float64)
	return n
}

// compare checks the books against the data in the simulated Stripe.
func compare(t *testing.T, b *Business) {
	t.Helper()
	books := b.Books()
	statuses := map[any]any{}
	for id, raw := range b.Truth("/v1/subscriptions") {
		var s map[string]any
		if err := json.Unmarshal(raw, &s); err != nil {
			t.Fatal(err)
		}
		statuses[id] = s["status"]
	}
	mrr := sum(t, b, "/v1/subscription_items", func(o map[string]any) float64 {
		if status := statuses[o["subscription"]]; status != "active" && status != "past_due" {
			return 0
		}
		p, _ := o["price"].(map[string]any)
		return number(o, "quantity") * number(p, "unit_amount")
	})
	of := func(property string, kinds ...string) func(map[string]any) float64 {
		return func(o map[string]any) float64 {
			for _, k := range kinds {
				if o["type"] == k {
					return number(o, property)
				}
			}
			return 0
		}
	}
	for what, pair := range map[string][2]int64{
		"MRR":      {books.MRR, mrr},
		"revenue":  {books.Revenue(), sum(t, b, "/v1/balance_transactions", of("amount", "charge", "refund", "adjustment"))},
		"fees":     {books.Fees, sum(t, b, "/v1/balance_transactions", of("fee", "charge", "refund", "adjustment", "payout"))},
		"paid out": {books.PaidOut, sum(t, b, "/v1/payouts", func(o map[string]any) float64 { return number(o, "amount") })},
		"balance":  {books.Balance, sum(t, b, "/v1/balance_transactions", of("net", "charge", "refund", "adjustment", "payout"))},
		"received": {books.Revenue() - books.Fees, books.PaidOut + books.Balance},
		"charges minus what went back": {books.Revenue(), sum(t, b, "/v1/charges", func(o map[string]any) float64 {
			if o["status"] != "succeeded" || o["disputed"] == true {
				return 0
			}
			return number(o, "amount") - number(o, "amount_refunded")
		})},
		"invoices paid": {sum(t, b, "/v1/charges", func(o map[string]any) float64 {
			if o["status"] != "succeeded" {
				return 0
			}
			return number(o, "amount")
		}), sum(t, b, "/v1/invoices", func(o map[string]any) float64 { return number(o, "amount_paid") })},
	} {
		if pair[0] != pair[1] || pair[0] == 0 {
			t.Errorf("%s: the books say %d, Stripe shows %d", what, pair[0], pair[1])
		}
	}
}

func TestBooksAreCorrect(t *testing.T) {
	b, err := New(Options{Seed: 1, Now: time.Date(2025, 6, 17, 12, 0, 0, 0, time.UTC), Options: stripetest.Options{Compact: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	compare(t, b)
	books := b.Books()
	t.Logf("%+v", books)
	first, last := books.Months["2024-07"], books.Months["2025-05"]
	if last.Charged < 2*first.Charged || last.Churned == 0 || last.Refunded == 0 {
		t.Errorf("want growth, churn and refunds, got %+v first and %+v last", first, last)
	}
	disputed := int64(0)
	for _, m := range books.Months {
		disputed += m.Disputed
	}
	if disputed == 0 || books.Payouts < 45 {
		t.Errorf("want a dispute and weekly payouts, got %+v", books)
	}
	before := books
	for range 40 {
		if _, err := b.Step(); err != nil {
			t.Fatal(err)
		}
	}
	compare(t, b)
	if after := b.Books(); after.Customers == before.Customers || after.MRR == before.MRR {
		t.Errorf("nothing changed: %+v", after)
	}
}

func TestSeedDeterminesBusiness(t *testing.T) {
	now := time.Date(2025, 6, 17, 12, 0, 0, 0, time.UTC)
	var books []Books
	for range 2 {
		b, err := New(Options{Seed: 7, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		books = append(books, b.Books())
		b.Close()
	}
	if books[0].MRR != books[1].MRR || books[0].PaidOut != books[1].PaidOut {
		t.Errorf("got %+v and %+v", books[0], books[1])
	}
}
