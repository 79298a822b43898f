package schedule

import (
	"time"

	cron "github.com/netresearch/go-cron"
)

// Interval defines a schedule that has an interval, for schedulers other than this package.
type Interval struct {
	Every time.Duration
	// Anchor is a time on the grid of runs. It is zero if runs are counted from the previous one.
	Anchor time.Time
	// Dated reports whether Anchor is also the first slot.
	Dated bool
}

// Calendar defines a schedule that has a cron expression, for schedulers other than this package. It matches local
// times. For what happens when clocks change, see [Schedule.Next].
type Calendar struct {
	// The values that the expression allows, in ascending order. Sunday is 0.
	Minutes, Hours, Days, Months, Weekdays []int
	// EitherDay means that a date matches if its day of the month or its weekday does. Otherwise, both must match.
	EitherDay bool
	Zone      *time.Location
}

// Interval returns the definition of a schedule that has an interval.
func (s Schedule) Interval() (i Interval, ok bool) {
	switch c := s.clock.(type) {
	case interval:
		return Interval{Every: c.every}, true
	case grid:
		return Interval{Every: c.every, Anchor: c.anchor, Dated: c.dated}, true
	}
	return Interval{}, false
}

// Calendar returns the definition of a schedule that has a cron expression.
func (s Schedule) Calendar() (c Calendar, ok bool) {
	own, ok := s.clock.(calendar)
	if !ok {
		return Calendar{}, false
	}
	e, ok := own.expression.(*cron.SpecSchedule) // always, since Parse refuses @every
	if !ok {
		return Calendar{}, false
	}
	return Calendar{
		Minutes: values(e.Minute, 0, 59), Hours: values(e.Hour, 0, 23), Days: values(e.Dom, 1, 31), Months: values(e.Month, 1, 12),
		Weekdays: values(e.Dow, 0, 6), EitherDay: e.DowOrDom, Zone: own.zone,
	}, true
}

// values returns the numbers from low to high whose bits are set.
func values(bits uint64, low, high int) []int {
	var all []int
	for v := low; v <= high; v++ {
		if bits&(1<<v) != 0 {
			all = append(all, v)
		}
	}
	return all
}
