package business

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// price is the price of a plan, and charge a payment.
type (
	price struct {
		id, product string
		amount      int64
	}
	charge struct {
		id, intent, customer string
		amount               int64
		transaction          string
	}
	invoice struct {
		*subscription
		id     string
		amount int64
	}
)

// create creates an object with the given relations, then sets the properties in look.
func (b *Business) create(path string, relations stripetest.Fields, look map[string]any) string {
	id, err := b.Create(path, relations)
	b.note(err)
	b.set(id, look)
	return id
}

// set sets properties of an object.
func (b *Business) set(id string, look map[string]any) {
	if b.err != nil || len(look) == 0 {
		return
	}
	edits := make([]stripetest.Edit, 0, len(look))
	for _, property := range slices.Sorted(maps.Keys(look)) {
		value, err := json.Marshal(look[property])
		b.note(err)
		edits = append(edits, stripetest.Edit{Property: property, JSON: string(value)})
	}
	_, err := b.Distort(id, edits...)
	b.note(err)
}

// status changes an object's status, and emits the event for it.
func (b *Business) status(id, status string) {
	if b.err == nil {
		b.note(b.Update(id, stripetest.Fields{"status": status}))
	}
}

func (b *Business) note(err error) {
	if b.err == nil {
		b.err = err
	}
}

var (
	firstNames = strings.Fields("Ada Ben Chloe Dara Emil Farah Grace Hugo Ines Jonas Kofi Lena Mara Nils Olga Pablo Quinn Rosa Sven Tara Uma Vera Wim Yara Zoe")
	lastNames  = strings.Fields("Adler Berg Costa Diaz Egan Fischer Garcia Haas Ito Jansen Khan Lopez Moreau Novak Okafor Perez Rossi Sato Tanaka Vogel Weber Young")
)

// name returns a made-up customer name.
func (b *Business) name() string {
	return firstNames[b.random.IntN(len(firstNames))] + " " + lastNames[b.random.IntN(len(lastNames))]
}

// offer starts selling a plan at a price, effective immediately for new customers.
func (b *Business) offer(p plan, amount int64) {
	old := b.prices[p]
	made := &price{amount: amount}
	if old == nil {
		made.product = b.create("/v1/products", nil, map[string]any{"name": string(p), "active": true,
			"description": "Quillpost " + string(p), "default_price": nil})
	} else {
		made.product = old.product
		b.set(old.id, map[string]any{"active": false})
		b.note(b.Update(old.id))
	}
	made.id = b.create("/v1/prices", stripetest.Fields{"product": made.product}, map[string]any{
		"active": true, "currency": "usd", "unit_amount": amount, "unit_amount_decimal": fmt.Sprint(amount), "type": "recurring",
		"nickname": fmt.Sprintf("%s, $%d", p, amount/100), "recurring": map[string]any{"interval": "month", "interval_count": 1, "usage_type": "licensed"},
		"billing_scheme": "per_unit",
	})
	b.prices[p] = made
}

func (b *Business) createCustomer(name string) string {
	email := strings.ToLower(strings.ReplaceAll(name, " ", ".")) + fmt.Sprintf("%d@example.com", b.books.Customers)
	return b.create("/v1/customers", nil, map[string]any{"name": name, "email": email, "description": nil, "balance": 0,
		"currency": "usd", "delinquent": false, "default_source": nil})
}

func (b *Business) createSubscription(s *subscription, status string, trial int) {
	now := b.now()
	look := map[string]any{"currency": "usd", "current_period_start": now.Unix(), "current_period_end": now.AddDate(0, 1, 0).Unix(),
		"start_date": now.Unix(), "trial_start": nil, "trial_end": nil, "cancel_at_period_end": false, "discount": nil,
		"description": nil, "collection_method": "charge_automatically"}
	if trial > 0 {
		look["trial_start"], look["trial_end"] = now.Unix(), now.AddDate(0, 0, trial).Unix()
	}
	s.id = b.create("/v1/subscriptions", stripetest.Fields{"customer": s.customer, "status": status}, look)
	if b.err != nil {
		return
	}
	s.item = b.create("/v1/subscription_items", stripetest.Fields{"subscription": s.id}, nil)
	b.setItem(s)
}

// setItem sets the price and the seats shown in a subscription's item.
func (b *Business) setItem(s *subscription) {
	p := map[string]any{"id": s.price.id, "object": "price", "active": true, "currency": "usd", "product": s.price.product, "type": "recurring",
		"unit_amount": s.price.amount, "unit_amount_decimal": fmt.Sprint(s.price.amount), "livemode": false, "metadata": map[string]any{},
		"recurring": map[string]any{"interval": "month", "interval_count": 1, "usage_type": "licensed"}, "billing_scheme": "per_unit",
		"nickname": fmt.Sprintf("%s, $%d", s.plan, s.price.amount/100), "lookup_key": nil, "tax_behavior": "exclusive"}
	b.set(s.item, map[string]any{"quantity": s.seats, "price": p})
}

// cancel ends a subscription.
func (b *Business) cancel(s *subscription) {
	now := b.now().Unix()
	b.set(s.id, map[string]any{"canceled_at": now, "ended_at": now})
	if b.err == nil {
		b.note(b.Delete(s.id))
	}
}

func (b *Business) createInvoice(s *subscription) *invoice {
	now := b.now()
	b.number++
	i := &invoice{subscription: s, amount: s.monthly()}
	i.id = b.create("/v1/invoices", stripetest.Fields{"subscription": s.id, "status": "open"}, map[string]any{
		"number": fmt.Sprintf("QP-%05d", b.number), "currency": "usd", "subtotal": i.amount, "total": i.amount, "amount_due": i.amount,
		"tax": nil, "discount": nil, "period_start": now.Unix(), "period_end": now.AddDate(0, 1, 0).Unix(), "description": nil,
		"billing_reason": "subscription_cycle", "customer_name": s.name, "amount_paid": 0, "amount_remaining": i.amount, "paid": false,
		"starting_balance": 0, "total_excluding_tax": i.amount, "subtotal_excluding_tax": i.amount,
	})
	if b.err == nil {
		b.create("/v1/invoices/"+i.id+"/lines", nil, map[string]any{"amount": i.amount, "amount_excluding_tax": i.amount, "currency": "usd",
			"quantity": s.seats, "description": fmt.Sprintf("%d × Quillpost %s", s.seats, s.plan), "type": "subscription"})
	}
	return i
}

// pay attempts to collect an invoice.
func (b *Business) pay(i *invoice, succeeds bool) {
	if b.err != nil {
		return
	}
	status, paid := "failed", int64(0)
	intent := "requires_payment_method"
	if succeeds {
		status, intent, paid = "succeeded", "succeeded", i.amount
	}
	c := &charge{customer: i.customer, amount: i.amount}
	money := map[string]any{"currency": "usd", "amount": i.amount, "description": "Subscription update"}
	look := maps.Clone(money)
	look["amount_received"] = paid
	c.intent = b.create("/v1/payment_intents", stripetest.Fields{"invoice": i.id, "status": intent}, look)
	if b.err != nil {
		return
	}
	look = maps.Clone(money)
	maps.Copy(look, map[string]any{"amount_captured": paid, "amount_refunded": 0, "refunded": false, "paid": succeeds, "captured": succeeds,
		"disputed": false, "application_fee_amount": nil, "failure_code": nil, "failure_message": nil})
	if !succeeds {
		look["failure_code"], look["failure_message"] = "card_declined", "Your card was declined."
	}
	c.id = b.create("/v1/charges", stripetest.Fields{"payment_intent": c.intent, "status": status}, look)
	b.set(c.intent, map[string]any{"latest_charge": c.id})
	b.set(i.id, map[string]any{"payment_intent": c.intent, "charge": c.id})
	if !succeeds {
		return
	}
	b.received(c)
	b.set(c.id, map[string]any{"balance_transaction": c.transaction})
	b.set(i.id, map[string]any{"amount_paid": i.amount, "amount_remaining": 0, "paid": true})
	b.set(i.subscription.id, map[string]any{"latest_invoice": i.id})
	b.status(i.id, "paid")
}

func (b *Business) createRefund(c *charge) {
	id := b.create("/v1/refunds", stripetest.Fields{"charge": c.id}, map[string]any{"amount": c.amount, "currency": "usd", "status": "succeeded",
		"reason": "requested_by_customer"})
	t := b.transact("refund", id, -c.amount, 0)
	b.set(id, map[string]any{"balance_transaction": t})
	b.set(c.id, map[string]any{"amount_refunded": c.amount, "refunded": true})
}

func (b *Business) createDispute(c *charge) string {
	b.set(c.id, map[string]any{"disputed": true})
	return b.create("/v1/disputes", stripetest.Fields{"charge": c.id, "status": "needs_response"}, map[string]any{"amount": c.amount,
		"currency": "usd", "reason": "fraudulent"})
}

func (b *Business) createTransaction(kind, source string, amount, fee int64) string {
	now := b.now().Unix()
	relations := stripetest.Fields{}
	look := map[string]any{"amount": amount, "fee": fee, "net": amount - fee, "currency": "usd", "type": kind, "reporting_category": kind,
		"status": "available", "available_on": now, "exchange_rate": nil, "description": nil, "source": source}
	look["fee_details"] = []any{}
	if fee > 0 {
		look["fee_details"] = []any{map[string]any{"amount": fee, "currency": "usd", "type": "stripe_fee", "description": "Stripe processing fees", "application": nil}}
	}
	return b.create("/v1/balance_transactions", relations, look)
}

func (b *Business) createPayout(amount int64) {
	id := b.create("/v1/payouts", nil, map[string]any{"amount": amount, "currency": "usd", "status": "paid", "automatic": true,
		"arrival_date": b.now().AddDate(0, 0, 2).Unix(), "description": "STRIPE PAYOUT", "failure_code": nil, "failure_message": nil,
		"statement_descriptor": nil, "type": "bank_account"})
	b.set(id, map[string]any{"balance_transaction": b.createTransaction("payout", id, -amount, 0)})
}
