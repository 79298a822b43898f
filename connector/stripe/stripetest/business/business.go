// Package business simulates a small company on the simulated Stripe of package stripetest. It has plans, trials, growth,
// churn, seasons, a price increase, failed payments, refunds, a dispute, and weekly payouts. Its books are kept separately, so
// extracted data can be compared with the truth.
//
// The company, Quillpost, sells software for newsletters. [New] simulates its first year; [Business.Step] changes it after
// that.
package business

import (
	"container/heap"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// Options configure a Business. The zero value is usable.
type Options struct {
	// Seed determines everything that looks random.
	Seed uint64
	// Now is the end of the first year. Zero means the current time.
	Now time.Time
	// Options configure the simulated Stripe. The business sets the number of objects, the clock and the accounts itself.
	Options stripetest.Options
}

// Business is the simulated company. Its methods are safe for concurrent use.
type Business struct {
	*stripetest.Server

	clock   atomic.Int64 // in Unix seconds; zero once real time applies
	mu      sync.Mutex   // guards the fields below
	random  *rand.Rand
	start   time.Time
	tasks   tasks
	prices  map[plan]*price
	active  []*subscription
	charges []*charge // successful and not refunded
	balance int64     // not yet paid out
	number  int       // of the last invoice
	books   Books
	err     error // the first error from the simulated Stripe
}

// New founds the company a year ago and simulates the year since. The caller must close it.
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
	options.Objects = map[string]int{"*": 0, "/v1/subscription_items": 0} // subscription items are created like everything else
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

// Start returns when the company was founded. No object is older.
func (b *Business) Start() time.Time { return b.start }

// now returns the time on the simulated Stripe's clock.
func (b *Business) now() time.Time {
	if at := b.clock.Load(); at != 0 {
		return time.Unix(at, 0).UTC()
	}
	return time.Now().UTC()
}

// task is something scheduled to happen at a time.
type task struct {
	at time.Time
	do func()
}

// tasks is a heap with the next task first.
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

// at schedules do for the given time.
func (b *Business) at(when time.Time, do func()) { heap.Push(&b.tasks, task{when, do}) }

// chance returns true with a probability of percent.
func (b *Business) chance(percent int) bool { return b.random.IntN(100) < percent }

// signupsPerMonth is the number of signups in the first month. It grows by a fifteenth each month and varies by season.
const signupsPerMonth = 22

// seasons is the percentage of normal signups in each calendar month: people start newsletters in January and September, but
// not in August or December.
var seasons = [12]int{140, 110, 105, 100, 95, 85, 75, 60, 130, 120, 105, 75}

// found sets up the catalog and schedules the year.
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
