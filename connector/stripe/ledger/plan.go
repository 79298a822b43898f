package ledger

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// Cadence decides when to list events. It estimates the number of events of a second from earlier looks or from the ledgers. It must
// not be used concurrently.
type Cadence struct {
	Overlap  int64 // the maximum time, in seconds, until an event is visible
	Settling int64 // the minimum age, in seconds, of events to list
	PageSize int

	found map[int64]int // number of events, by second
}

// The cadence, as the package documentation describes it.
const (
	nearPast     = 0.35 // as a fraction of the cost of new events
	tailPages    = 10   // the number of pages from which seconds whose overlap has passed are listed
	tailFraction = 10   // the fraction of the overlap, 1/10, that they and due events wait at most
)

// Listed records how many events a look found, for the estimates of later plans.
func (c *Cadence) Listed(look Look, events []Event) {
	if c.found == nil {
		c.found = map[int64]int{}
	}
	oldest := look.At - 2*c.Overlap
	maps.DeleteFunc(c.found, func(at int64, _ int) bool { return at < oldest })
	for at := max(look.From, oldest); at < look.Until; at++ {
		c.found[at] = 0
	}
	for _, e := range events {
		if n, ok := c.found[e.At]; ok {
			c.found[e.At] = n + 1
		}
	}
}

// Plan returns the ranges that a sweep that begins now must list for streams with the given ledgers, in ascending order.
//
// slack is the number of additional requests that the sweep may spend on the near past. A caller that re-reads many objects can
// afford some.
func (c *Cadence) Plan(now int64, slack int, ledgers ...*Ledger) []Range {
	if len(ledgers) == 0 {
		return nil
	}
	p := c.planner(ledgers)
	until := now - c.Settling
	head := until
	var plan []Range
	if p.first < until {
		head = Boundary(p.first-p.nearSeconds(until, slack), p.ledgers...)
		plan = append(plan, Range{head, until})
	}
	over := now - c.Overlap
	passed := Boundary(min(over, head), p.ledgers...)
	ripe := p.expected(p.from, passed) >= float64(tailPages*c.PageSize) || over-p.from >= c.Overlap/tailFraction
	if passed > p.from && (ripe || p.pages(p.from, until) <= p.pages(head, until)) {
		plan = append(plan, Range{p.from, passed})
	}
	return p.join(append(plan, p.dueRanges(now, over)...))
}

// Pages returns the expected number of pages of a range.
func (c *Cadence) Pages(r Range, ledgers ...*Ledger) int {
	return c.planner(ledgers).pages(r.From, r.Until)
}

func (c *Cadence) planner(ledgers []*Ledger) *planner {
	p := &planner{Cadence: c, ledgers: ledgers, from: ledgers[0].from, first: ledgers[0].until}
	for _, l := range ledgers {
		p.from, p.first = min(p.from, l.from), min(p.first, l.until)
	}
	p.rate = p.recentRate()
	return p
}

// planner makes one plan.
type planner struct {
	*Cadence
	ledgers     []*Ledger
	from, first int64 // the start of what is not settled, and of what was never listed
	rate        float64
}

// dueRanges returns the ranges to list for events that are due to be applied again. To save requests, it waits until one of them
// has been due for a tenth of the overlap. Events whose overlap has passed are left to the next look at such seconds.
func (p *planner) dueRanges(now, over int64) []Range {
	var due []Range
	ripe := false
	for _, l := range p.ledgers {
		for _, r := range l.Due(now) {
			if r.Until > over {
				due = append(due, Range{Boundary(r.From, p.ledgers...), BoundaryAfter(r.Until, p.ledgers...)})
			}
		}
		for _, r := range l.Due(now - p.Overlap/tailFraction) {
			ripe = ripe || r.Until > over
		}
	}
	if !ripe {
		return nil
	}
	return due
}

// recentSeconds is the length of the period from which the rate of events that were never listed is estimated.
const recentSeconds = 30

func (p *planner) recentRate() float64 {
	begin := max(p.from, p.first-recentSeconds)
	return p.expected(begin, p.first) / float64(max(p.first-begin, 1))
}

// expected returns the estimated number of events in a range.
func (p *planner) expected(from, until int64) float64 {
	n := p.rate * float64(max(until-max(from, p.first), 0))
	for at := from; at < min(until, p.first); at++ {
		n += p.eventsIn(at)
	}
	return n
}

// eventsIn returns the estimated number of events in a second that was listed. If only the ledgers know about an event, it counts once for
// each stream that it concerns.
func (p *planner) eventsIn(at int64) float64 {
	if n, ok := p.found[at]; ok {
		return float64(n)
	}
	n := 0.0
	for _, l := range p.ledgers {
		if b := l.find(at); b != nil {
			n += float64(b.count) / float64(b.until-b.from)
		}
	}
	return n
}

// pages returns the estimated number of pages of a range, at least 1.
func (p *planner) pages(from, until int64) int {
	return max(1, int(math.Ceil(p.expected(from, until)/float64(p.PageSize))))
}

// nearSeconds returns the number of seconds to list in addition to the new ones. It leaves some room on the pages, because the number of
// events varies.
func (p *planner) nearSeconds(until int64, slack int) int64 {
	size := float64(p.PageSize)
	events := p.expected(p.first, until)
	pages := max(math.Ceil(events/size), math.Floor(events*(1+nearPast)/size), 1) + float64(slack)
	room := pages*size - 2*math.Sqrt(pages*size)
	at := p.first
	for ; at > p.from; at-- {
		if events += p.eventsIn(at - 1); events > room {
			break
		}
	}
	return p.first - at
}

// join joins ranges that overlap, and ranges that take fewer requests together than apart.
func (p *planner) join(plan []Range) []Range {
	slices.SortFunc(plan, func(a, b Range) int { return cmp.Compare(a.From, b.From) })
	var joined []Range
	for _, r := range plan {
		if n := len(joined) - 1; n >= 0 {
			last := joined[n]
			until := max(last.Until, r.Until)
			apart := p.pages(last.From, last.Until) + p.pages(r.From, r.Until)
			if r.From <= last.Until || p.pages(last.From, until) < apart {
				joined[n].Until = until
				continue
			}
		}
		joined = append(joined, r)
	}
	return joined
}

// Boundary returns the latest time, at or before at, that is not within merged seconds of any ledger.
func Boundary(at int64, ledgers ...*Ledger) int64 {
	for {
		before := at
		for _, l := range ledgers {
			at = l.Boundary(at)
		}
		if at == before {
			return at
		}
	}
}

// BoundaryAfter returns the earliest time, at or after at, that is not within merged seconds of any ledger.
func BoundaryAfter(at int64, ledgers ...*Ledger) int64 {
	for {
		before := at
		for _, l := range ledgers {
			if b := l.find(at); b != nil && b.from < at {
				at = b.until
			}
		}
		if at == before {
			return at
		}
	}
}
