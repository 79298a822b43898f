package schedule

import "time"

// interval counts from when the run before was due.
type interval struct{ every time.Duration }

func (i interval) first(last, now time.Time) time.Time {
	due := last.Add(i.every)
	if last.IsZero() || due.Before(now) || last.After(now) { // a last run in the future is that of a clock that was wrong
		return now
	}
	return due
}

func (i interval) next(last, now time.Time) time.Time {
	return grid{every: i.every, anchor: last}.next(last, now)
}

// grid are the instants that lie a whole number of intervals from the anchor.
type grid struct {
	every  time.Duration
	anchor time.Time
	dated  bool // whether the grid begins at the anchor
}

func (g grid) first(last, now time.Time) time.Time { return g.next(last, now) }

func (g grid) next(last, now time.Time) time.Time {
	slot := g.notBefore(now)
	if !slot.After(last) {
		slot = g.notBefore(last.Add(1))
	}
	return slot
}

// notBefore gives the first instant of the grid that is not before t.
func (g grid) notBefore(t time.Time) time.Time {
	if g.dated && t.Before(g.anchor) {
		return g.anchor
	}
	slot := g.anchor.Add(t.Sub(g.anchor) / g.every * g.every)
	if slot.Before(t) {
		slot = slot.Add(g.every)
	}
	return slot
}
