package timetable

import (
	"slices"
	"time"

	"github.com/stripe-connector/stripe-connector/client/schedule"
)

// Years is a closed range of years.
type Years struct{ First, Last int }

// change is a clock change: before and after are the local times that clocks show just before and after it, as times in
// UTC.
type change struct{ at, before, after time.Time }

// changes returns the clock changes of a zone in these years.
func changes(zone *time.Location, covered Years) []change {
	var all []change
	end := time.Date(covered.Last+1, 1, 1, 0, 0, 0, 0, zone)
	for t := time.Date(covered.First, 1, 1, 0, 0, 0, 0, zone); ; {
		_, next := t.ZoneBounds()
		if next.IsZero() || !next.Before(end) {
			return all
		}
		if !next.After(t) { // ZoneBounds may return this on the last day of a leap year, when no clock changes
			next = t.Add(24 * time.Hour)
		}
		c := change{next, onClock(next, next.Add(-1)), onClock(next, next)}
		if !c.before.Equal(c.after) {
			all = append(all, c)
		}
		t = next
	}
}

// onClock returns the local time, as a time in UTC, that a clock shows at t if it goes as it does at reference.
func onClock(t, reference time.Time) time.Time {
	_, offset := reference.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// window is a half-open range of local times around a clock change, in whole hours, as times in UTC.
type window struct {
	change
	from, to time.Time
	// withoutMidnight means that the window extends over a day whose midnight is skipped. On such a day, Temporal's
	// calendars see the weekday before.
	withoutMidnight bool
}

// around returns the local times around a change in which Temporal's calendars may run at other times than c: those
// that are skipped or repeated, the hour before, and after a skip those during which skipped ones run.
func around(c schedule.Calendar, ch change) window {
	low, high := ch.before, ch.after
	if high.Before(low) {
		low, high = high, low
	}
	w := window{change: ch, from: low.Truncate(time.Hour).Add(-time.Hour), to: high.Add(high.Sub(low) + time.Hour - 1).Truncate(time.Hour)}
	midnight := high.Truncate(24 * time.Hour)
	if ch.after.After(ch.before) && !midnight.Before(low) && midnight.Before(high) && len(c.Weekdays) < 7 {
		w.to, w.withoutMidnight = midnight.Add(24*time.Hour), true
	}
	return w
}

// concerns reports whether the schedule needs special treatment in the window.
func (w window) concerns(c schedule.Calendar) bool {
	for t := w.from; t.Before(w.to) && !w.withoutMidnight; t = t.Add(time.Minute) {
		if matches(c, t) {
			return true
		}
	}
	return w.withoutMidnight && slices.Contains(c.Months, int(w.after.Month()))
}

// runs returns the runs in the window.
func (w window) runs(s schedule.Schedule) []time.Time {
	from, to := w.at.Add(w.from.Sub(w.before)), w.at.Add(w.to.Sub(w.after))
	var all []time.Time
	for t := s.First(time.Time{}, from); !t.IsZero() && t.Before(to); t = s.Next(t, t) {
		all = append(all, t)
	}
	return all
}
