package schedule

import (
	"fmt"
	"strings"
	"time"

	// A maintained library that parses and matches expressions. It is used for UTC only, since in other zones it skips
	// runs around clock changes: those at midnight, and those in changes by half an hour.
	cron "github.com/netresearch/go-cron"
)

// fields are the fields of an expression.
const fields = cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor

// longestWait is the number of years after which to stop looking for the next run. Around 2100, leap days are eight
// years apart.
const longestWait = 9

func parseCron(s Spec) (Schedule, error) {
	switch {
	case s.Every != "":
		return Schedule{}, &Error{"every", "can't be combined with cron: remove one of them"}
	case s.Anchor != "":
		return Schedule{}, &Error{"anchor", "can't be combined with cron: remove one of them"}
	}
	zone, name := time.UTC, "UTC"
	if s.TimeZone != "" {
		var err error
		if zone, err = time.LoadLocation(s.TimeZone); err != nil || s.TimeZone == "Local" {
			return Schedule{}, &Error{"time_zone", "is not a known time zone: use an IANA name such as Europe/Berlin"}
		}
		name = s.TimeZone
	}
	if strings.Contains(s.Cron, "TZ=") {
		return Schedule{}, &Error{"cron", "contains a time zone: set time_zone instead"}
	}
	if strings.HasPrefix(s.Cron, "@every") {
		return Schedule{}, &Error{"cron", "is an interval: set every instead"}
	}
	parsed, err := cron.MustNewParser(fields | eitherDay(s.Cron)).WithMaxSearchYears(longestWait).Parse(s.Cron)
	if err != nil {
		return Schedule{}, &Error{"cron", fmt.Sprintf("is not a valid cron expression (%s): write minute, hour, day of the month, month, "+
			"day of the week, such as \"30 6 * * 1-5\" for 06:30 from Monday to Friday", err)}
	}
	c := calendar{parsed, zone}
	if c.next(time.Time{}, time.Now()).IsZero() {
		return Schedule{}, &Error{"cron", "would never run: no year has such a day"}
	}
	return Schedule{clock: c, words: fmt.Sprintf("cron %s, %s", s.Cron, name)}, nil
}

// eitherDay returns the parse option that determines how the two day fields combine. If an expression restricts both
// the day of the month and the day of the week, a day matches if either field does. A field that contains a star,
// such as */2, doesn't count as a restriction; then both must match
// (https://man7.org/linux/man-pages/man5/crontab.5.html).
func eitherDay(expression string) cron.ParseOption {
	f := strings.Fields(expression)
	if len(f) != 5 || strings.ContainsAny(f[2]+f[4], "*?") {
		return 0
	}
	return cron.DowOrDom
}

// calendar is the schedule of a cron expression in a time zone.
//
// The expression matches local times. A run is due whenever the local time matches, so a time that occurs twice when
// clocks are set back has two runs. When clocks are set forward, the skipped times still have their runs, as if the
// clock hadn't changed: 02:30 is one hour after 01:30, even if clocks then show 03:30.
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

// longestJump exceeds the largest jump of any clock: a day, where the date line moved.
const longestJump = 25 * time.Hour

// after returns the first run after t, or zero if there is none. It relies on each clock having a fixed offset from
// UTC between two changes.
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
			return earliest // no later clock will show such a time either
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

// bounds returns the start and the end of the period in which the clock's offset at t applies. On the last day of a
// leap year, ZoneBounds may return an end that is not after t. No clock changes then, so bounds moves the end one day
// later.
func bounds(t time.Time) (begin, end time.Time) {
	begin, end = t.ZoneBounds()
	if !end.IsZero() && !end.After(t) {
		end = t.Add(24 * time.Hour)
	}
	return begin, end
}

// onClock returns the first run after t on a clock with a fixed offset.
func (c calendar) onClock(t time.Time, offset time.Duration) time.Time {
	shown := c.expression.Next(t.UTC().Add(offset))
	if shown.IsZero() {
		return shown
	}
	return shown.Add(-offset)
}

// jump returns how far a change sets the clock forward, or zero if it sets it back.
func jump(change time.Time) time.Duration {
	_, before := change.Add(-1).Zone()
	_, after := change.Zone()
	return time.Duration(max(after-before, 0)) * time.Second
}
