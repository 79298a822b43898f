package business

import "maps"

// Books are the true figures of the business. Amounts are in US cents.
type Books struct {
	// MRR is the monthly recurring revenue: the sum of the monthly amounts of all active subscriptions.
	MRR int64
	// Customers is the number of customers who ever signed up, and Subscribers the number of active subscriptions.
	Customers, Subscribers int
	// Months holds the figures by month, with keys such as 2025-01.
	Months map[string]*Month
	// Fees is the sum of Stripe's fees.
	Fees int64
	// Payouts is the number of payouts, and PaidOut their sum.
	Payouts int
	PaidOut int64
	// Balance is the amount earned but not yet paid out.
	Balance int64
}

// Month holds the figures of one month.
type Month struct {
	// Charged is the sum of successful payments. Refunded and Disputed are the amounts returned.
	Charged, Refunded, Disputed int64
	// Signups, Conversions and Churned count customers who signed up, started paying, and stopped paying.
	Signups, Conversions, Churned int
}

// Revenue returns the amount charged less the amounts returned.
func (m *Month) Revenue() int64 { return m.Charged - m.Refunded - m.Disputed }

// Revenue returns the total revenue of all months.
func (b *Books) Revenue() (sum int64) {
	for _, m := range b.Months {
		sum += m.Revenue()
	}
	return sum
}

// Books returns the current figures.
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

// month returns the figures of the current month.
func (b *Business) month() *Month {
	name := b.now().Format("2006-01")
	m := b.books.Months[name]
	if m == nil {
		m = &Month{}
		b.books.Months[name] = m
	}
	return m
}
