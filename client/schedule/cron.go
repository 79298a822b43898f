package schedule

import (
	"fmt"
	"strings"
	"time"

	// A maintained library parses and matches expressions. It is only asked about times in UTC: around changes of a zone's
	// clock, it skips runs at midnight and in half-hour changes.
	cron "github.com/netresearch/go-cron"
)

// fields are those that an expression has.
const fields = cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor

// longestWait is how many years may pass between two runs: leap days around 2100 are eight years apart.
const longestWait = 9

func parseCron(s Spec) (Schedule, error) {
	switch {
	case s.Every != "":
		return Schedule{}, &Error{"every", "cannot be together with cron: leave one of them out"}
	case s.Anchor != "":
		return Schedule{}, &Error{"anchor", "cannot be together with cron: leave one of them out"}
	}
	zone, name := time.UTC, "UTC"
	if s.TimeZone != "" {
		var err error
		if zone, err = time.LoadLocation(s.TimeZone); err != nil || s.TimeZone == "Local" {
			return Schedule{}, &Error{"time_zone", "is not known: write one of the IANA database, such as Europe/Berlin"}
		}
		name = s.TimeZone
	}
	if strings.Contains(s.Cron, "TZ=") {
		return Schedule{}, &Error{"cron", "has a time zone in it: write that as time_zone"}
	}
	if strings.HasPrefix(s.Cron, "@every") {
		return Schedule{}, &Error{"cron", "is an interval: write that as every"}
	}
	parsed, err := cron.MustNewParser(fields | eitherDay(s.Cron)).WithMaxSearchYears(longestWait).Parse(s.Cron)
	if err != nil {
		return Schedule{}, &Error{"cron", fmt.Sprintf("is no cron expression (%s): write minute, hour, day of the month, month, "+
			"day of the week, such as \"30 6 * * 1-5\" for 06:30 from Monday to Friday", err)}
	}
	c := calendar{parsed, zone}
	if c.next(time.Time{}, time.Now()).IsZero() {
		return Schedule{}, &Error{"cron", "names a day that never comes: write one that does"}
	}
	return Schedule{c, fmt.Sprintf("cron %s, %s", s.Cron, name)}, nil
}

// eitherDay returns the option for an expression that restricts both the day of the month and the day of the week: a day
// matches if either does. A field with a star in it, such as */2, is no restriction in this sense, and then both must
// match (https://man7.org/linux/man-pages/man5/crontab.5.html).
func eitherDay(expression string) cron.ParseOption {
	f := strings.Fields(expression)
	if len(f) != 5 || strings.ContainsAny(f[2]+f[4], "*?") {
		return 0
	}
	return cron.DowOrDom
}

// calendar is the schedule of a cron expression in a time zone.
//
// An expression matches times on a clock, and clocks are changed. A run is due whenever the clock shows a time that matches,
// so a time that comes twice has two runs. When the clock is set forward, the times that it skips count as they would on a
// clock that was not set: 02:30 is one hour after 01:30, even if the clock then shows 03:30.
type calendar struct {
	expression cron.Schedule
	zone       *time.Location
}

func (c calendar) first(last, now time.Time) time.Time { return c.next(last, now) }

func (c calendar) next(last, now time.Time) time.Time {
	after := now.Add(-1)
	if last.After(after) {
		after = last
	}
	return c.after(after)
}

// longestJump is longer than clocks were ever set forward: by a day, where the date line was moved.
const longestJump = 25 * time.Hour

// after returns the first run after t, or zero if there is none. Between two changes, the clock is a fixed offset from UTC.
func (c calendar) after(t time.Time) time.Time {
	var earliest time.Time
	for at := t.Add(-longestJump); ; {
		begin, end := bounds(at.In(c.zone))
		if !earliest.IsZero() && !earliest.After(begin) {
			return earliest
		}
		from := t
		if before := begin.Add(-1); !begin.IsZero() && before.After(from) {
			from = before
		}
		_, offset := at.In(c.zone).Zone()
		run := c.onClock(from, time.Duration(offset)*time.Second)
		if run.IsZero() {
			return earliest // neither will a later clock show such a time
		}
		if (end.IsZero() || run.Before(end.Add(jump(end)))) && (earliest.IsZero() || run.Before(earliest)) {
			earliest = run
		}
		if end.IsZero() {
			return earliest
		}
		at = end
	}
}

// bounds returns the bounds of the clock's offset at t. On the last day of a leap year, ZoneBounds returns an end that is
// not after t; clocks are not changed then, so the end is set a day later.
func bounds(t time.Time) (begin, end time.Time) {
	begin, end = t.ZoneBounds()
	if !end.IsZero() && !end.After(t) {
		end = t.Add(24 * time.Hour)
	}
	return begin, end
}

// onClock returns the first run after t on a clock that is never changed.
func (c calendar) onClock(t time.Time, offset time.Duration) time.Time {
	shown := c.expression.Next(t.UTC().Add(offset))
	if shown.IsZero() {
		return shown
	}
	return shown.Add(-offset)
}

// jump returns how far the clock is set forward at a change; zero if it is set back.
func jump(change time.Time) time.Duration {
	_, before := change.Add(-1).Zone()
	_, after := change.Zone()
	return time.Duration(max(after-before, 0)) * time.Second
}
