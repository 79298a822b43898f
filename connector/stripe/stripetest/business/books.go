package business

import "maps"

// Books are the truth about the business. Amounts are in cents of US dollars.
type Books struct {
	// MRR is the monthly recurring revenue: what all active subscriptions pay in a month.
	MRR int64
	// Customers counts all who ever signed up, and Subscribers the active subscriptions.
	Customers, Subscribers int
	// Months are what happened, by month such as 2025-01.
	Months map[string]*Month
	// Fees is what Stripe kept.
	Fees int64
	// Payouts counts the payouts, and PaidOut is their sum.
	Payouts int
	PaidOut int64
	// Balance is what was earned and not paid out yet.
	Balance int64
}

// Month is what happened in a month.
type Month struct {
	// Charged is the sum of the payments that succeeded; Refunded and Disputed are what went back.
	Charged, Refunded, Disputed int64
	// Signups, Conversions and Churned count customers: new ones, those that began to pay, and those that stopped.
	Signups, Conversions, Churned int
}

// Revenue is what was charged less what went back.
func (m *Month) Revenue() int64 { return m.Charged - m.Refunded - m.Disputed }

// Revenue is that of all months.
func (b *Books) Revenue() (sum int64) {
	for _, m := range b.Months {
		sum += m.Revenue()
	}
	return sum
}

// Books returns the books as of now.
func (b *Business) Books() Books {
	b.mu.Lock()
	defer b.mu.Unlock()
	books := b.books
	books.Balance = b.balance
	books.Months = maps.Clone(b.books.Months)
	for name, m := range books.Months {
		month := *m
		books.Months[name] = &month
	}
	for _, s := range b.active {
		books.MRR += s.monthly()
	}
	books.Subscribers = len(b.active)
	return books
}

// month returns the current month of the books.
func (b *Business) month() *Month {
	name := b.now().Format("2006-01")
	m := b.books.Months[name]
	if m == nil {
		m = &Month{}
		b.books.Months[name] = m
	}
	return m
}
