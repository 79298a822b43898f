package timetable

import (
	"maps"
	"slices"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/stripe-connector/stripe-connector/client/schedule"
)

// once is the interval of a single run: its next and its previous slot are 50 years away.
const once = 50 * 365 * 24 * time.Hour

// The years that Temporal's calendars know.
const firstYear, lastYear = 2000, 2100

// calendars returns the specification of a cron expression.
func calendars(c schedule.Calendar, s schedule.Schedule, covered Years) client.ScheduleSpec {
	all := changes(c.Zone, covered)
	if c, ok := hourly(c, all); ok {
		return client.ScheduleSpec{Calendars: specs(boxes(c), s)}
	}
	spec := client.ScheduleSpec{TimeZoneName: c.Zone.String()}
	hours := excluded{}
	for _, ch := range all {
		w := around(c, ch)
		if !w.concerns(c) {
			continue
		}
		for t := w.from; t.Before(w.to); t = t.Add(time.Hour) {
			hours.add(t)
		}
		for _, t := range w.runs(s) {
			spec.Intervals = append(spec.Intervals, client.ScheduleIntervalSpec{Every: once, Offset: sinceEpoch(t) % once})
		}
	}
	for _, b := range boxes(c) {
		spec.Calendars = append(spec.Calendars, specs(b.without(hours), s)...)
	}
	return spec
}

// hourly returns the calendar in UTC of an expression that matches every hour at the same minutes, whatever clocks show.
func hourly(c schedule.Calendar, all []change) (schedule.Calendar, bool) {
	everyDay := len(c.Days) == 31 && len(c.Weekdays) == 7 || c.EitherDay && (len(c.Days) == 31 || len(c.Weekdays) == 7)
	if len(all) == 0 || !everyDay || len(c.Months) < 12 || len(c.Hours) < 24 {
		return c, false
	}
	var utc []int
	for _, ch := range all {
		for _, clock := range []time.Time{ch.before, ch.after} {
			minutes := shifted(c.Minutes, clock.Sub(ch.at))
			if utc != nil && !slices.Equal(utc, minutes) {
				return c, false
			}
			utc = minutes
		}
	}
	c.Minutes, c.Zone = utc, time.UTC
	return c, true
}

// shifted returns the minutes in UTC at which a clock that is ahead by offset shows one of minutes.
func shifted(minutes []int, offset time.Duration) []int {
	ahead := int(offset/time.Minute) % 60
	utc := make([]int, len(minutes))
	for i, m := range minutes {
		utc[i] = (m - ahead + 60) % 60
	}
	slices.Sort(utc)
	return utc
}

// matches reports whether the calendar matches a local time.
func matches(c schedule.Calendar, local time.Time) bool {
	if !slices.Contains(c.Minutes, local.Minute()) || !slices.Contains(c.Hours, local.Hour()) || !slices.Contains(c.Months, int(local.Month())) {
		return false
	}
	day, weekday := slices.Contains(c.Days, local.Day()), slices.Contains(c.Weekdays, int(local.Weekday()))
	if c.EitherDay {
		return day || weekday
	}
	return day && weekday
}

// box is a calendar as Temporal has it: it matches a local time if each of its fields does.
type box struct{ minutes, hours, days, months, weekdays, years []int }

// boxes returns the calendars whose union is c.
func boxes(c schedule.Calendar) []box {
	b := box{c.Minutes, c.Hours, c.Days, c.Months, c.Weekdays, nil}
	if !c.EitherDay {
		return []box{b}
	}
	other := b
	b.weekdays, other.days = numbers(0, 6), numbers(1, 31)
	return []box{b, other}
}

// excluded holds hours of local time: excluded[year][month][day] are those of a day.
type excluded map[int]map[int]map[int][]int

func (e excluded) add(local time.Time) {
	year, month, day := local.Year(), int(local.Month()), local.Day()
	if e[year] == nil {
		e[year] = map[int]map[int][]int{}
	}
	if e[year][month] == nil {
		e[year][month] = map[int][]int{}
	}
	e[year][month][day] = append(e[year][month][day], local.Hour())
}

// without returns the boxes that cover b except for the excluded hours.
func (b box) without(e excluded) []box {
	if len(e) == 0 {
		return []box{b}
	}
	rest := b
	rest.years = minus(numbers(firstYear, lastYear), slices.Collect(maps.Keys(e)))
	all := []box{rest}
	for _, year := range slices.Sorted(maps.Keys(e)) {
		rest := b
		rest.years, rest.months = []int{year}, minus(b.months, slices.Collect(maps.Keys(e[year])))
		all = append(all, rest)
		for _, month := range slices.Sorted(maps.Keys(e[year])) {
			if !slices.Contains(b.months, month) {
				continue
			}
			rest := b
			rest.years, rest.months, rest.days = []int{year}, []int{month}, minus(b.days, slices.Collect(maps.Keys(e[year][month])))
			all = append(all, rest)
			for _, day := range slices.Sorted(maps.Keys(e[year][month])) {
				if slices.Contains(b.days, day) {
					rest.days, rest.hours = []int{day}, minus(b.hours, e[year][month][day])
					all = append(all, rest)
				}
			}
		}
	}
	return slices.DeleteFunc(all, func(b box) bool { return len(b.hours) == 0 || len(b.days) == 0 || len(b.months) == 0 })
}

// minus returns the numbers of all that are not in others.
func minus(all, others []int) []int {
	return slices.DeleteFunc(slices.Clone(all), func(n int) bool { return slices.Contains(others, n) })
}

// numbers returns the numbers from low to high.
func numbers(low, high int) []int {
	all := make([]int, 0, high-low+1)
	for n := low; n <= high; n++ {
		all = append(all, n)
	}
	return all
}

func specs(all []box, s schedule.Schedule) []client.ScheduleCalendarSpec {
	var calendars []client.ScheduleCalendarSpec
	for _, b := range all {
		calendars = append(calendars, client.ScheduleCalendarSpec{
			Second: ranges([]int{0}), Minute: ranges(b.minutes), Hour: ranges(b.hours), DayOfMonth: ranges(b.days), Month: ranges(b.months),
			DayOfWeek: ranges(b.weekdays), Year: ranges(b.years), Comment: comment(s),
		})
	}
	return calendars
}

// longestComment is the maximum length of a comment in Temporal.
const longestComment = 200

func comment(s schedule.Schedule) string {
	text := s.String()
	return text[:min(len(text), longestComment)]
}

// ranges returns ascending numbers as ranges: as one with a step, if there is one, or else as ranges of successive
// numbers.
func ranges(all []int) []client.ScheduleRange {
	if len(all) > 2 {
		step := all[1] - all[0]
		if slices.Equal(all, stepped(all[0], all[len(all)-1], step)) {
			return []client.ScheduleRange{{Start: all[0], End: all[len(all)-1], Step: step}}
		}
	}
	var found []client.ScheduleRange
	for _, n := range all {
		if last := len(found) - 1; last >= 0 && found[last].End == n-1 {
			found[last].End = n
		} else {
			found = append(found, client.ScheduleRange{Start: n, End: n, Step: 1})
		}
	}
	return found
}

func stepped(low, high, step int) []int {
	var all []int
	for n := low; n <= high; n += step {
		all = append(all, n)
	}
	return all
}
