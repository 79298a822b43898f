package ledger_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/stripe-connector/stripe-connector/connector/stripe/ledger"
)

// account is an account with events that become visible late.
type account struct {
	events  []ledger.Event
	visible []int64 // when each becomes visible
}

func (a *account) add(at, visible int64) {
	a.events = append(a.events, ledger.Event{ID: fmt.Sprintf("evt_%d", len(a.events)), At: at})
	a.visible = append(a.visible, visible)
}

// list returns the indexes of the events that a listing shows.
func (a *account) list(look ledger.Look) []int {
	var found []int
	for i, e := range a.events {
		if look.From <= e.At && e.At < look.Until && a.visible[i] <= look.At {
			found = append(found, i)
		}
	}
	return found
}

func (a *account) eventsOf(indexes []int) []ledger.Event {
	found := make([]ledger.Event, len(indexes))
	for n, i := range indexes {
		found[n] = a.events[i]
	}
	return found
}

// TestNoEventIsMissed simulates random accounts and sweeps. Events have any density and become visible within the overlap, in any
// order. Sweeps start at any time, list the whole overlap or what is planned, are divided into stretches, fail, and resume from
// their states. Every event must be applied in time. None may be applied again unless another one of the same seconds was listed for
// the first time.
func TestNoEventIsMissed(t *testing.T) {
	if testing.Short() {
		t.Skip("has nothing concurrent")
	}
	rapid.Check(t, func(r *rapid.T) {
		overlap := rapid.SampledFrom([]int64{0, 1, 30, 300, 1000}).Draw(r, "overlap")
		duration := rapid.Int64Range(1, 3*overlap+10).Draw(r, "duration")
		a := &account{}
		for range rapid.IntRange(0, 15).Draw(r, "bursts") {
			at := start + rapid.Int64Range(0, duration-1).Draw(r, "at")
			late := rapid.SampledFrom([]int64{0, 1, 10, overlap}).Draw(r, "late")
			for range rapid.SampledFrom([]int{1, 2, 7, 40}).Draw(r, "events") {
				a.add(at+rapid.Int64Range(0, 2).Draw(r, "second"), 0)
				e := len(a.events) - 1
				a.visible[e] = a.events[e].At + rapid.Int64Range(0, min(late, overlap)).Draw(r, "visible")
			}
		}
		cadence := &ledger.Cadence{Overlap: overlap, Settling: rapid.Int64Range(0, 3).Draw(r, "settling"), PageSize: 100}
		planned := rapid.Bool().Draw(r, "planned")
		exact := true
		l := ledger.New(start)
		applied := make([]int, len(a.events))
		listed := make([]bool, len(a.events))
		shown := make([][]int, len(a.events)) // what each event was applied beside
		for now := start; now < start+duration+overlap*11/10+10; {
			now += rapid.Int64Range(1, max(overlap/3, 5)).Draw(r, "pause")
			plan := []ledger.Range{{From: l.From(), Until: now - cadence.Settling}}
			if planned {
				plan = cadence.Plan(now, 0, l)
			}
			for len(plan) > 0 {
				var part ledger.Range
				part, plan = cut(r, l, plan)
				look := ledger.Look{Range: part, At: now}
				found := a.list(look)
				cadence.Listed(look, a.eventsOf(found))
				if rapid.IntRange(0, 9).Draw(r, "fails") == 0 {
					l.Observe(look, a.eventsOf(found))
					l.Discard()
					exact = false
				}
				for _, i := range found {
					listed[i] = true
				}
				for n, news := range l.Observe(look, a.eventsOf(found)) {
					i := found[n]
					if !news {
						continue
					}
					if applied[i]++; applied[i] > 1 {
						if exact {
							r.Fatalf("event %d is applied again by a ledger in memory", i)
						}
						if slices.Equal(shown[i], a.neighbors(i, listed)) {
							r.Fatalf("event %d is applied again, and nothing changed beside it", i)
						}
					}
					shown[i] = a.neighbors(i, listed)
				}
				l.Advance(look, overlap)
				if rapid.IntRange(0, 3).Draw(r, "resumes") == 0 {
					saved, err := json.Marshal(l)
					if err != nil {
						r.Fatal(err)
					}
					l = new(ledger.Ledger)
					if err := json.Unmarshal(saved, l); err != nil {
						r.Fatal(err)
					}
					exact = false
				}
			}
			for i, e := range a.events {
				bound := e.At + overlap
				if planned {
					bound += overlap/10 + 1
				}
				if applied[i] == 0 && bound+cadence.Settling+1 <= now {
					r.Fatalf("event %d of %d, visible at %d, is not applied at %d", i, e.At-start, a.visible[i]-start, now-start)
				}
			}
		}
	})
}

// widest exceeds the width of all merged seconds in this test.
const widest = 64

// neighbors returns the listed events that were created within some seconds of another event.
func (a *account) neighbors(event int, listed []bool) []int {
	var found []int
	for i, e := range a.events {
		if distance := e.At - a.events[event].At; listed[i] && -widest <= distance && distance < widest {
			found = append(found, i)
		}
	}
	return found
}

// cut splits the first stretch off a plan and returns both. It cuts at boundaries of the ledger, which may move with each stretch.
func cut(r *rapid.T, l *ledger.Ledger, plan []ledger.Range) (ledger.Range, []ledger.Range) {
	first := plan[0]
	if first.From >= first.Until || rapid.IntRange(0, 2).Draw(r, "cuts") > 0 {
		return first, plan[1:]
	}
	at := max(l.Boundary(rapid.Int64Range(first.From, first.Until).Draw(r, "cut")), first.From)
	plan[0].From = at
	return ledger.Range{From: first.From, Until: at}, plan
}

// TestAwaitedAreAppliedAgain makes every event await two more applications, 30 seconds and one overlap after its creation. Both
// must happen soon after they are due, with a ledger in memory and with one that is resumed.
func TestAwaitedAreAppliedAgain(t *testing.T) {
	const overlap, interval = 300, 5
	for name, resumes := range map[string]bool{"in memory": false, "resumed": true} {
		t.Run(name, func(t *testing.T) {
			a := busy(5, 120)
			c := &ledger.Cadence{Overlap: overlap, Settling: 2, PageSize: 100}
			l := ledger.New(start)
			last := make([]int64, len(a.events))
			dues := make([]int64, len(a.events))
			requests := 0
			for now := start + interval; now < start+600; now += interval {
				for _, r := range c.Plan(now, 0, l) {
					look := ledger.Look{Range: r, At: now}
					found := a.list(look)
					requests += 1 + len(found)/100
					events := a.eventsOf(found)
					c.Listed(look, events)
					for n, news := range l.Observe(look, events) {
						i, e := found[n], events[n]
						if !news {
							continue
						}
						last[i] = now
						switch {
						case now < e.At+30:
							dues[i] = e.At + 30
						case now < e.At+overlap:
							dues[i] = e.At + overlap
						default:
							dues[i] = 0
							continue
						}
						l.Await(e, dues[i])
					}
					l.Advance(look, overlap)
				}
				if resumes {
					l = l.Clone()
				}
				for i, due := range dues {
					if due != 0 && now >= due+overlap/10+interval {
						t.Fatalf("%d s after its creation, event %d is not applied again, due at %d s", now-a.events[i].At, i, due-a.events[i].At)
					}
				}
			}
			t.Logf("%d requests", requests)
			for i, at := range last {
				if at < a.events[i].At+overlap {
					t.Fatalf("event %d was applied last %d s after its creation", i, at-a.events[i].At)
				}
			}
		})
	}
}
