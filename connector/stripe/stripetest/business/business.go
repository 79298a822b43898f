// Package business is a small company on the simulated Stripe of package stripetest: it has plans, trials, growth, churn,
// seasons, a price rise, failed payments, refunds, a dispute, and weekly payouts. Its books are kept beside it, so that what
// was extracted can be compared with the truth.
//
// Quillpost sells software for newsletters. A year of its life passes when it is made; after that it changes by [Business.Step].
package business

import (
	"container/heap"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// Options say which business it is. The zero value works.
type Options struct {
	// Seed decides everything that looks random.
	Seed uint64
	// Now is when the first year ends. Zero means now.
	Now time.Time
	// Options are those of the simulated Stripe. Its number of objects, its clock and its accounts are the business's own.
	Options stripetest.Options
}

// Business is the company. Its methods are safe for concurrent use.
type Business struct {
	*stripetest.Server

	clock   atomic.Int64 // in Unix seconds; zero once time passes by itself
	mu      sync.Mutex   // guards what follows
	random  *rand.Rand
	start   time.Time
	tasks   tasks
	prices  map[plan]*price
	active  []*subscription
	charges []*charge // succeeded, and not refunded
	balance int64     // not paid out yet
	number  int       // of invoices
	books   Books
	err     error // the first that the simulated Stripe returned
}

// New founds the company a year ago and simulates the year since. The caller closes it.
func New(o Options) (*Business, error) {
	now := o.Now
	if now.IsZero() {
		now = time.Now()
	}
	now = now.UTC().Truncate(time.Second)
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	b := &Business{
		random: rand.New(rand.NewPCG(o.Seed, 0x9c111)), start: month.AddDate(-1, 0, 0), prices: map[plan]*price{},
		books: Books{Months: map[string]*Month{}},
	}
	b.clock.Store(b.start.Unix())
	options := o.Options
	options.Seed, options.Accounts, options.Now = o.Seed, -1, b.now
	options.Objects = map[string]int{"*": 0, "/v1/subscription_items": 0} // a subscription's items are created like all else
	b.Server = stripetest.NewServer(options)
	b.found()
	for len(b.tasks) > 0 && !b.tasks[0].at.After(now) && b.err == nil {
		t, _ := heap.Pop(&b.tasks).(task)
		b.clock.Store(t.at.Unix())
		t.do()
	}
	if b.err != nil {
		b.Close()
		return nil, b.err
	}
	b.clock.Store(0)
	return b, nil
}

// Start returns when the company was founded. Nothing is older.
func (b *Business) Start() time.Time { return b.start }

// now is the clock of the simulated Stripe.
func (b *Business) now() time.Time {
	if at := b.clock.Load(); at != 0 {
		return time.Unix(at, 0).UTC()
	}
	return time.Now().UTC()
}

// task is something that happens at a time.
type task struct {
	at time.Time
	do func()
}

// tasks are a heap, the next first.
type tasks []task

func (t tasks) Len() int           { return len(t) }
func (t tasks) Less(i, j int) bool { return t[i].at.Before(t[j].at) }
func (t tasks) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *tasks) Push(x any)        { *t = append(*t, x.(task)) } //nolint:forcetypeassert // heap passes on what it was given
func (t *tasks) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return last
}

// at has something happen at a time.
func (b *Business) at(when time.Time, do func()) { heap.Push(&b.tasks, task{when, do}) }

// chance reports whether something with a probability in percent happens.
func (b *Business) chance(percent int) bool { return b.random.IntN(100) < percent }

// signupsPerMonth is the first month's number. It grows by a fifteenth each month, and swings with the seasons.
const signupsPerMonth = 22

// seasons are the share of signups by calendar month, in percent: people start newsletters in January and September, and
// neither in August nor in December.
var seasons = [12]int{140, 110, 105, 100, 95, 85, 75, 60, 130, 120, 105, 75}

// found sets up the catalog and plans the year.
func (b *Business) found() {
	for _, p := range []plan{starter, team, scale} {
		b.offer(p, p.amount())
	}
	rise := b.start.AddDate(0, 8, 0)
	b.at(rise, func() { b.offer(team, teamAfterRise) })
	for m := range 13 {
		begin := b.start.AddDate(0, m, 0)
		days := int(begin.AddDate(0, 1, 0).Sub(begin).Hours() / 24)
		signups := signupsPerMonth * (15 + m) / 15 * seasons[begin.Month()-1] / 100
		for range signups {
			at := begin.AddDate(0, 0, b.random.IntN(days)).Add(time.Duration(8*3600+b.random.IntN(12*3600)) * time.Second)
			b.at(at, func() { b.signUp(trialDays) })
		}
	}
	first := b.start.Add(6 * time.Hour)
	for first.Weekday() != time.Monday {
		first = first.AddDate(0, 0, 1)
	}
	for week := first; week.Before(b.start.AddDate(1, 2, 0)); week = week.AddDate(0, 0, 7) {
		b.at(week, b.payOut)
	}
	b.at(b.start.AddDate(0, 6, 9), b.dispute)
}
