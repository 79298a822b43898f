package business

import (
	"slices"
	"time"
)

// plan is a plan that customers subscribe to.
type plan string

const (
	starter plan = "Starter" // for individuals
	team    plan = "Team"    // per seat
	scale   plan = "Scale"   // for whole companies
)

// teamAfterRise is the price of a seat from the ninth month on. It applies to new customers at once, and to existing ones from
// their next invoice.
const teamAfterRise = 1800

// amount returns the plan's initial price per month, in cents.
func (p plan) amount() int64 { return map[plan]int64{starter: 1900, team: 1500, scale: 24900}[p] }

const (
	trialDays = 14
	// Percentages:
	convert = 62 // of trials
	leave   = 4  // of subscriptions, each month
	decline = 6  // of payments, on the first attempt
	collect = 65 // of declined payments, on the second attempt
	refund  = 2  // of payments
)

// subscription is a customer with a subscription.
type subscription struct {
	customer, name, id, item string
	plan                     plan
	price                    *price
	seats                    int64
}

// monthly returns the subscription's monthly amount, in cents.
func (s *subscription) monthly() int64 { return s.price.amount * s.seats }

// signUp creates a customer with a trial of the given number of days, or with an immediate payment if trial is 0.
func (b *Business) signUp(trial int) *subscription {
	s := &subscription{plan: starter, seats: 1, name: b.name()}
	switch n := b.random.IntN(100); {
	case n < 45:
		s.plan, s.seats = team, int64(2+b.random.IntN(8))
	case n < 52:
		s.plan = scale
	}
	s.price = b.prices[s.plan]
	b.books.Customers++
	b.month().Signups++
	s.customer = b.createCustomer(s.name)
	status := "active"
	if trial > 0 {
		status = "trialing"
	}
	b.createSubscription(s, status, trial)
	if trial == 0 {
		b.begin(s)
		return s
	}
	b.at(b.now().AddDate(0, 0, trial), func() {
		if b.chance(convert) {
			b.status(s.id, "active")
			b.begin(s)
		} else {
			b.cancel(s)
		}
	})
	return s
}

// begin makes the first payment.
func (b *Business) begin(s *subscription) {
	b.month().Conversions++
	b.active = append(b.active, s)
	b.bill(s)
}

// bill sends a month's invoice and schedules the next one.
func (b *Business) bill(s *subscription) {
	if !slices.Contains(b.active, s) {
		return
	}
	if s.price != b.prices[s.plan] { // the price rose
		s.price = b.prices[s.plan]
		b.setItem(s)
	}
	i := b.createInvoice(s)
	if b.chance(decline) {
		b.pay(i, false)
		b.status(s.id, "past_due")
		b.at(b.now().AddDate(0, 0, 3), func() {
			if !slices.Contains(b.active, s) {
				return
			}
			if b.chance(collect) {
				b.pay(i, true)
				b.status(s.id, "active")
				b.next(s, 27)
			} else {
				b.churn(s)
			}
		})
		return
	}
	b.pay(i, true)
	b.next(s, 30)
}

// next schedules another invoice, or the customer's departure, in the given number of days.
func (b *Business) next(s *subscription, days int) {
	b.at(b.now().AddDate(0, 0, days), func() {
		if b.chance(leave) {
			b.churn(s)
		} else {
			b.bill(s)
		}
	})
}

// churn removes a paying customer.
func (b *Business) churn(s *subscription) {
	i := slices.Index(b.active, s)
	if i < 0 {
		return
	}
	b.active = slices.Delete(b.active, i, i+1)
	b.month().Churned++
	b.cancel(s)
}

// received records a successful payment.
func (b *Business) received(c *charge) {
	b.month().Charged += c.amount
	b.charges = append(b.charges, c)
	c.transaction = b.transact("charge", c.id, c.amount, c.amount*29/1000+30)
	if b.chance(refund) {
		b.at(b.now().Add(time.Duration(1+b.random.IntN(5))*24*time.Hour), func() { b.refund(c) })
	}
}

// refund refunds a payment.
func (b *Business) refund(c *charge) {
	i := slices.Index(b.charges, c)
	if i < 0 {
		return
	}
	b.charges = slices.Delete(b.charges, i, i+1)
	b.month().Refunded += c.amount
	b.createRefund(c)
}

// disputeFee is Stripe's fee for a dispute (https://stripe.com/docs/disputes/how-disputes-work).
const disputeFee = 1500

// dispute makes a customer dispute a payment, which the company loses three weeks later.
func (b *Business) dispute() {
	c := b.charges[len(b.charges)-1]
	b.charges = b.charges[:len(b.charges)-1]
	b.month().Disputed += c.amount
	id := b.createDispute(c)
	b.transact("adjustment", id, -c.amount, disputeFee)
	b.at(b.now().AddDate(0, 0, 21), func() { b.status(id, "lost") })
}

// transact records the effect of a payment, refund or dispute on the balance.
func (b *Business) transact(kind, source string, amount, fee int64) string {
	b.balance += amount - fee
	b.books.Fees += fee
	return b.createTransaction(kind, source, amount, fee)
}

// payOut pays the balance out to the bank.
func (b *Business) payOut() {
	if b.balance <= 0 {
		return
	}
	b.createPayout(b.balance)
	b.books.Payouts++
	b.books.PaidOut += b.balance
	b.balance = 0
}
