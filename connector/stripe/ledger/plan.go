package ledger

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// Cadence says when events are listed. It expects of seconds what was found in them before, or what the ledgers remember. It
// must not be used concurrently.
type Cadence struct {
	Overlap  int64 // seconds after its creation in which an event may become visible
	Settling int64 // seconds after its creation from which on an event is listed
	PageSize int

	found map[int64]int // events, by second
}

// The cadence, as the package documentation describes it.
const (
	nearPast     = 0.35 // of the cost of what is new
	tailPages    = 10   // of seconds whose overlap has passed
	tailFraction = 10   // of the overlap, which they and what is due wait at most
)

// Listed notes how many events a look found, so that the next plan knows what to expect.
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

// Plan returns what a sweep that begins now has to list, the earliest first, for streams with the given ledgers.
//
// Slack is how many requests more than the cadence allows the sweep may spend on the near past. A caller that reads many
// objects again can afford some.
func (c *Cadence) Plan(now int64, slack int, ledgers ...*Ledger) []Range {
	if len(ledgers) == 0 {
		return nil
	}
	p := c.planner(ledgers)
	until := now - c.Settling
	head := until
	var plan []Range
	if p.first < until {
		head = p.boundary(p.first - p.near(until, slack))
		plan = append(plan, Range{head, until})
	}
	over := now - c.Overlap
	passed := p.boundary(min(over, head))
	ripe := p.expected(p.from, passed) >= float64(tailPages*c.PageSize) || over-p.from >= c.Overlap/tailFraction
	if passed > p.from && (ripe || p.pages(p.from, until) <= p.pages(head, until)) {
		plan = append(plan, Range{p.from, passed})
	}
	return p.join(append(plan, p.due(now, over)...))
}

// Pages returns how many pages the events of a range are expected to fill.
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
	from, first int64 // what is not settled, and what was never listed, begins there
	rate        float64
}

// due returns what is to be listed for what is due. That is put off, so that it takes few requests; what the next look at
// seconds whose overlap has passed lists anyway is left to that.
func (p *planner) due(now, over int64) []Range {
	var due []Range
	ripe := false
	for _, l := range p.ledgers {
		for _, r := range l.Due(now) {
			if r.Until > over {
				due = append(due, Range{p.boundary(r.From), p.boundaryAfter(r.Until)})
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

// recentSeconds is the time by whose events those that were never listed are estimated.
const recentSeconds = 30

func (p *planner) recentRate() float64 {
	begin := max(p.from, p.first-recentSeconds)
	return p.expected(begin, p.first) / float64(max(p.first-begin, 1))
}

// expected returns how many events to expect.
func (p *planner) expected(from, until int64) float64 {
	n := p.rate * float64(max(until-max(from, p.first), 0))
	for at := from; at < min(until, p.first); at++ {
		n += p.in(at)
	}
	return n
}

// in returns how many events to expect in a second that was listed. An event of several streams counts several times, if
// only their ledgers know of it.
func (p *planner) in(at int64) float64 {
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

// pages returns how many requests to expect.
func (p *planner) pages(from, until int64) int {
	return max(1, int(math.Ceil(p.expected(from, until)/float64(p.PageSize))))
}

// near returns how many seconds before the new ones to list with them. A page isn't filled to the last event, since the
// number of events varies.
func (p *planner) near(until int64, slack int) int64 {
	size := float64(p.PageSize)
	events := p.expected(p.first, until)
	pages := max(math.Ceil(events/size), math.Floor(events*(1+nearPast)/size), 1) + float64(slack)
	room := pages*size - 2*math.Sqrt(pages*size)
	at := p.first
	for ; at > p.from; at-- {
		if events += p.in(at - 1); events > room {
			break
		}
	}
	return p.first - at
}

// join joins ranges that overlap or take no more requests together than apart.
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

// boundary returns the latest time not after at that cuts through no ledger's seconds.
func (p *planner) boundary(at int64) int64 {
	for {
		before := at
		for _, l := range p.ledgers {
			at = l.Boundary(at)
		}
		if at == before {
			return at
		}
	}
}

// boundaryAfter returns the earliest time not before at that cuts through no ledger's seconds.
func (p *planner) boundaryAfter(at int64) int64 {
	for {
		before := at
		for _, l := range p.ledgers {
			if b := l.find(at); b != nil && b.from < at {
				at = b.until
			}
		}
		if at == before {
			return at
		}
	}
}
