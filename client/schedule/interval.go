package schedule

import "time"

// always is due at any time.
type always struct{}

func (always) first(_, now time.Time) time.Time { return now }
func (always) next(_, now time.Time) time.Time  { return now }

// interval is an interval counted from when the previous run was due.
type interval struct{ every time.Duration }

func (i interval) first(last, now time.Time) time.Time {
	due := last.Add(i.every)
	if last.IsZero() || due.Before(now) || last.After(now) { // if last is in the future, the clock was wrong
		return now
	}
	return due
}

func (i interval) next(last, now time.Time) time.Time {
	return grid{every: i.every, anchor: last}.next(last, now)
}

// grid is the set of times that are any whole number of intervals away from the anchor.
type grid struct {
	every  time.Duration
	anchor time.Time
	dated  bool // whether the grid starts at the anchor
}

func (g grid) first(last, now time.Time) time.Time { return g.next(last, now) }

func (g grid) next(last, now time.Time) time.Time {
	slot := g.notBefore(now)
	if !slot.After(last) {
		slot = g.notBefore(last.Add(1))
	}
	return slot
}

// notBefore returns the first time on the grid that is not before t.
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
