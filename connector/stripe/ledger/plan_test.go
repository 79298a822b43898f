package ledger_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector/stripe/ledger"
)

// busy returns an account with random events at a given rate, for a given number of seconds. One in ten becomes visible up to 20
// seconds late, and one in a hundred at any time within the overlap of 300 seconds.
func busy(perSecond int, seconds int64) *account {
	random := rand.New(rand.NewPCG(uint64(perSecond), 1))
	a := &account{}
	for n := int64(perSecond) * seconds; n > 0; n-- {
		at := start + random.Int64N(seconds)
		visible := at + random.Int64N(3)
		switch random.IntN(100) {
		case 0:
			visible = at + random.Int64N(301)
		case 1, 2, 3, 4, 5, 6, 7, 8, 9, 10:
			visible = at + random.Int64N(21)
		}
		a.add(at, visible)
	}
	return a
}

// simulation is the result of sweeps over an account.
type simulation struct {
	requests int
	applied  []int64 // when each event was applied first
	again    int
}

// simulate sweeps an account at each interval. After sweepsPerRead sweeps, a new Read resumes from the state.
func simulate(a *account, interval int64, sweepsPerRead int, until int64, plan func(now int64, c *ledger.Cadence, l *ledger.Ledger) []ledger.Range) simulation {
	s := simulation{applied: make([]int64, len(a.events))}
	bySecond := map[int64][]int{}
	for i, e := range a.events {
		bySecond[e.At] = append(bySecond[e.At], i)
	}
	l := ledger.New(start)
	var c *ledger.Cadence
	sweeps := 0
	for now := start + interval; now <= until; now += interval {
		if sweeps%sweepsPerRead == 0 {
			l = l.Clone()
			c = &ledger.Cadence{Overlap: 300, Settling: 2, PageSize: 100}
		}
		sweeps++
		for _, r := range plan(now, c, l) {
			look := ledger.Look{Range: r, At: now}
			var found []int
			for at := r.From; at < r.Until; at++ {
				for _, i := range bySecond[at] {
					if a.visible[i] <= now {
						found = append(found, i)
					}
				}
			}
			s.requests += max(1, (len(found)+99)/100)
			c.Listed(look, a.eventsOf(found))
			for n, news := range l.Observe(look, a.eventsOf(found)) {
				switch {
				case news && s.applied[found[n]] == 0:
					s.applied[found[n]] = now
				case news:
					s.again++
				}
			}
			l.Advance(look, 300)
		}
	}
	return s
}

// TestCadence counts the requests of planned sweeps. They must take at most 1.2 times the requests of the cheapest plan that keeps
// the promise: it lists each second when it is new, and once more as late as the bound allows.
func TestCadence(t *testing.T) {
	for _, test := range []struct {
		name          string
		interval      int64
		sweepsPerRead int
	}{{"followed", 5, 1 << 30}, {"followed, killed every 30 s", 5, 6}, {"each minute", 60, 1}, {"each 5 minutes", 300, 1}, {"each hour", 3600, 1}} {
		for _, perSecond := range []int{1, 10, 100} {
			seconds := int64(900)
			if test.interval == 3600 && perSecond < 100 {
				seconds = 7200
			}
			a := busy(perSecond, seconds)
			until := start + seconds + 600 + 2*test.interval
			got := simulate(a, test.interval, test.sweepsPerRead, until, func(now int64, c *ledger.Cadence, l *ledger.Ledger) []ledger.Range {
				return c.Plan(now, 0, l)
			})
			minimum := simulate(a, test.interval, test.sweepsPerRead, until, func(now int64, _ *ledger.Cadence, l *ledger.Ledger) []ledger.Range {
				head, tail := ledger.Range{From: l.Until(), Until: now - 2}, ledger.Range{From: l.From(), Until: min(now-300, l.Until())}
				switch {
				case l.Until() <= now-300:
					return []ledger.Range{{From: l.From(), Until: now - 2}}
				case tail.Until-tail.From >= 30:
					return []ledger.Range{tail, head}
				}
				return []ledger.Range{head}
			})
			per1000 := func(s simulation) float64 { return 1000 * float64(s.requests) / float64(len(a.events)) }
			var worst, late int64
			for i, e := range a.events {
				if got.applied[i] == 0 {
					t.Fatalf("%s, %d/s: an event %d s late is missed", test.name, perSecond, a.visible[i]-e.At)
				}
				worst = max(worst, got.applied[i]-e.At)
				if got.applied[i]-a.visible[i] > test.interval+3 {
					late++
				}
			}
			t.Logf("%-28s %3d/s: %6.1f requests per 1,000 changes, least %6.1f; slowest %4d s, %4.1f %% not by the next sweep, %.3f applied again",
				test.name, perSecond, per1000(got), per1000(minimum), worst, 100*float64(late)/float64(len(a.events)), float64(got.again)/float64(len(a.events)))
			if float64(got.requests) > 1.2*float64(minimum.requests) {
				t.Errorf("%s, %d/s: %d requests are more than 1.2 times %d", test.name, perSecond, got.requests, minimum.requests)
			}
			if maximum := len(a.events); got.again > maximum || test.sweepsPerRead > 1000 && got.again > 0 {
				t.Errorf("%s, %d/s: %d of %d events were applied again", test.name, perSecond, got.again, maximum)
			}
			if bound := 330 + 1 + test.interval; worst > bound {
				t.Errorf("%s, %d/s: an event was applied after %d s, want at most %d", test.name, perSecond, worst, bound)
			}
		}
	}
}

func TestPlan(t *testing.T) {
	at := func(from, until int64) ledger.Range { return ledger.Range{From: start + from, Until: start + until} }
	swept := func(from, until int64) *ledger.Ledger {
		l := ledger.New(start + from)
		l.Advance(ledger.Look{Range: at(from, until), At: start + from}, 300)
		return l
	}
	awaiting := func(second, due int64) *ledger.Ledger {
		l := swept(5, 300)
		for _, e := range [][]ledger.Event{events("a", start+second, 1), events("a", start+250, 1)} {
			l.Observe(ledger.Look{Range: at(5, 300), At: start + 300}, e)
			l.Await(e[0], start+due)
			due = 307
		}
		return l
	}
	resumed := swept(5, 300)
	look := ledger.Look{Range: at(5, 300), At: start + 300}
	resumed.Observe(look, steady(0, 300, 10))
	resumed.Advance(look, 300)
	tests := map[string]struct {
		now     int64
		rate    int // of what was found until now; the ledgers count if it is negative
		slack   int
		ledgers []*ledger.Ledger
		want    []ledger.Range
	}{
		"no streams":                          {now: 307},
		"quiet: the whole overlap":            {now: 307, ledgers: []*ledger.Ledger{swept(0, 300)}, want: []ledger.Range{at(0, 305)}},
		"room on the page":                    {now: 307, rate: 1, ledgers: []*ledger.Ledger{swept(5, 300)}, want: []ledger.Range{at(225, 305)}},
		"room, by what the ledgers remember":  {now: 307, rate: -1, ledgers: []*ledger.Ledger{resumed.Clone()}, want: []ledger.Range{at(297, 305)}},
		"events of two streams: half of that": {now: 307, rate: -1, ledgers: []*ledger.Ledger{resumed.Clone(), resumed.Clone()}, want: []ledger.Range{at(300, 305)}},
		"no room":                             {now: 307, rate: 16, ledgers: []*ledger.Ledger{swept(5, 300)}, want: []ledger.Range{at(300, 305)}},
		"slack":                               {now: 307, rate: 100, slack: 20, ledgers: []*ledger.Ledger{swept(5, 300)}, want: []ledger.Range{at(281, 305)}},
		"not ripe":                            {now: 327, rate: 10, ledgers: []*ledger.Ledger{swept(0, 320)}, want: []ledger.Range{at(317, 325)}},
		"10 pages are ripe":                   {now: 317, rate: 100, ledgers: []*ledger.Ledger{swept(0, 310)}, want: []ledger.Range{at(0, 17), at(310, 315)}},
		"a tenth of the overlap is ripe":      {now: 330, rate: 10, ledgers: []*ledger.Ledger{swept(0, 323)}, want: []ledger.Range{at(0, 30), at(320, 328)}},
		"away for long":                       {now: 9000, rate: 100, ledgers: []*ledger.Ledger{swept(0, 300)}, want: []ledger.Range{at(0, 8998)}},
		"a stream that is behind":             {now: 307, rate: 100, ledgers: []*ledger.Ledger{swept(5, 300), swept(50, 200)}, want: []ledger.Range{at(167, 305)}},
		"due":                                 {now: 307, rate: 100, ledgers: []*ledger.Ledger{awaiting(200, 277)}, want: []ledger.Range{at(200, 201), at(250, 251), at(300, 305)}},
		"due, and put off":                    {now: 307, rate: 100, ledgers: []*ledger.Ledger{awaiting(200, 278)}, want: []ledger.Range{at(300, 305)}},
		"due with what has passed":            {now: 307, rate: 100, ledgers: []*ledger.Ledger{awaiting(6, 270)}, want: []ledger.Range{at(300, 305)}},
		"nothing is old enough":               {now: 301, rate: 100, ledgers: []*ledger.Ledger{swept(5, 300)}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := ledger.Cadence{Overlap: 300, Settling: 2, PageSize: 100}
			if test.rate >= 0 {
				c.Listed(ledger.Look{Range: at(0, 360), At: start + 360}, steady(0, 360, test.rate))
			}
			if diff := cmp.Diff(test.want, c.Plan(start+test.now, test.slack, test.ledgers...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// steady returns the same number of events for each second.
func steady(from, until int64, perSecond int) []ledger.Event {
	var all []ledger.Event
	for at := start + from; at < start+until; at++ {
		all = append(all, events("steady", at, perSecond)...)
	}
	return all
}
