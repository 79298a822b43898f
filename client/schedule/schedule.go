package schedule

import (
	"fmt"
	"time"
)

// DefaultEvery is the interval of a Spec that names none.
const DefaultEvery = 30 * time.Minute

// Spec describes a schedule as a person writes it. The zero value means every 30 minutes.
type Spec struct {
	// Every is the interval, such as "30m" or "6h". Empty means 30 minutes, unless Cron is set.
	Every string `json:"every,omitempty"`
	// Anchor is an instant of the grid: a time such as "2024-01-31T13:00:00Z", before which there is no run, or the UTC time
	// of a day such as "13:00".
	Anchor string `json:"anchor,omitempty"`
	// Cron is an expression of five fields (minute, hour, day of the month, month, day of the week), or @daily and the like.
	// If it restricts both the day of the month and the day of the week, it matches days on which either does, as in cron(5).
	Cron string `json:"cron,omitempty"`
	// TimeZone is where Cron's clock hangs, such as "Europe/Berlin". Empty means UTC.
	TimeZone string `json:"time_zone,omitempty"`
}

// Error is the error of a Spec: the field that is wrong, by its name in JSON, and what to write instead.
type Error struct{ Field, Message string }

func (e *Error) Error() string { return e.Field + " " + e.Message }

// Schedule is a parsed Spec. Its methods may be called at once.
type Schedule struct {
	clock clock
	words string
}

// clock is a kind of schedule.
type clock interface {
	// first gives the first slot not before now, if the run before was due at last; zero if there was none.
	first(last, now time.Time) time.Time
	// next gives the first slot after the run that was due at last and not before now.
	next(last, now time.Time) time.Time
}

// Parse parses a Spec. Its errors are an *Error.
func Parse(s Spec) (Schedule, error) {
	if s.Cron != "" {
		return parseCron(s)
	}
	if s.TimeZone != "" {
		return Schedule{}, &Error{"time_zone", "belongs to cron, which is not there: an anchor is in UTC, or says its own offset"}
	}
	every := DefaultEvery
	if s.Every != "" {
		var err error
		if every, err = time.ParseDuration(s.Every); err != nil {
			return Schedule{}, &Error{"every", "is no duration: write one such as 30m, 6h or 24h"}
		}
	}
	if every < time.Minute {
		return Schedule{}, &Error{"every", "is less than a minute: write 1m or more"}
	}
	if s.Anchor == "" {
		return Schedule{interval{every}, "every " + written(every)}, nil
	}
	anchor, dated, err := parseAnchor(s.Anchor)
	if err != nil {
		return Schedule{}, err
	}
	return Schedule{grid{every, anchor, dated}, fmt.Sprintf("every %s from %s on", written(every), s.Anchor)}, nil
}

// parseAnchor reads an anchor, and tells whether it has a date.
func parseAnchor(text string) (anchor time.Time, dated bool, err error) {
	if t, err := time.Parse("15:04", text); err == nil {
		return time.Unix(0, 0).UTC().Add(time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute), false, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC(), true, nil
	}
	return time.Time{}, false, &Error{"anchor", "is no time: write one such as 2024-01-31T13:00:00Z, or the UTC time of a day, such as 13:00"}
}

// First gives when to run first after a start at now. Last is when the last run was due, before the start; zero means that
// there was none. A schedule with neither anchor nor cron makes up for what it missed, at once; the others wait for the
// next slot.
func (s Schedule) First(last, now time.Time) time.Time { return s.clock.first(last, now) }

// Next gives when to run after the run that was due at last and ended at now: the first slot that is after last and not
// before now. It is zero if there is none ever again.
func (s Schedule) Next(last, now time.Time) time.Time { return s.clock.next(last, now) }

// String tells the schedule in words, such as "every 6h from 13:00 on".
func (s Schedule) String() string { return s.words }

// written gives a duration without the zero minutes and seconds that its String has.
func written(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0 && d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}
