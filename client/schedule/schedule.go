package schedule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// DefaultEvery is the interval used if a Spec has none.
const DefaultEvery = 30 * time.Minute

// Spec is a schedule as users write it. The zero value means every 30 minutes.
type Spec struct {
	// Follow means that the pipeline continues after it has caught up, and loads changes as they happen.
	Follow bool `json:"follow,omitempty"`
	// Every is the interval, such as "30m" or "6h". Empty means 30 minutes, unless Cron is set.
	Every string `json:"every,omitempty"`
	// Anchor aligns runs: they are due at the anchor plus any whole number of intervals. It is either a time such as
	// "2024-01-31T13:00:00Z", before which there is no run, or a UTC time of day such as "13:00".
	Anchor string `json:"anchor,omitempty"`
	// Cron is an expression of five fields (minute, hour, day of the month, month, day of the week), or a shorthand
	// such as @daily. If it restricts both the day of the month and the day of the week, it matches days on which
	// either does, as in cron(5).
	Cron string `json:"cron,omitempty"`
	// TimeZone is the time zone of Cron, such as "Europe/Berlin". Empty means UTC.
	TimeZone string `json:"time_zone,omitempty"`
}

// Error reports an invalid Spec. Field is the JSON name of the invalid field. Message follows the field's name, and
// says what is wrong and what to write instead.
type Error struct{ Field, Message string }

func (e *Error) Error() string { return e.Field + " " + e.Message }

// Schedule is a parsed Spec. Its methods are safe for concurrent use.
type Schedule struct {
	clock  clock
	words  string
	follow bool
}

// UnmarshalJSON implements [json.Unmarshaler]. It accepts an object, or the string "follow".
func (s *Spec) UnmarshalJSON(content []byte) error {
	if string(content) == `"follow"` {
		*s = Spec{Follow: true}
		return nil
	}
	type plain Spec // without this method, to avoid infinite recursion
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	return decoder.Decode((*plain)(s))
}

// Follows reports whether the pipeline follows the source without end. Such a schedule is always due.
func (s Schedule) Follows() bool { return s.follow }

// clock is a kind of schedule.
type clock interface {
	// first returns the first slot not before now. last is when the previous run was due, or zero if there was none.
	first(last, now time.Time) time.Time
	// next returns the first slot that is after last, when the previous run was due, and not before now.
	next(last, now time.Time) time.Time
}

// Parse parses a Spec. Any error is an [*Error].
func Parse(s Spec) (Schedule, error) {
	if s.Follow {
		if s != (Spec{Follow: true}) {
			return Schedule{}, &Error{"follow", "can't be combined with a time: remove every, anchor, cron and time_zone"}
		}
		return Schedule{clock: always{}, words: "following changes", follow: true}, nil
	}
	if s.Cron != "" {
		return parseCron(s)
	}
	if s.TimeZone != "" {
		return Schedule{}, &Error{"time_zone", "applies only to cron, which is not set: an anchor is in UTC or has its own offset"}
	}
	every := DefaultEvery
	if s.Every != "" {
		var err error
		if every, err = time.ParseDuration(s.Every); err != nil {
			return Schedule{}, &Error{"every", "must be a duration such as 30m, 6h or 24h"}
		}
	}
	if every < time.Minute {
		return Schedule{}, &Error{"every", "must be at least 1m"}
	}
	if s.Anchor == "" {
		return Schedule{clock: interval{every}, words: "every " + formatDuration(every)}, nil
	}
	anchor, dated, err := parseAnchor(s.Anchor)
	if err != nil {
		return Schedule{}, err
	}
	return Schedule{clock: grid{every, anchor, dated}, words: fmt.Sprintf("every %s from %s", formatDuration(every), s.Anchor)}, nil
}

// parseAnchor parses an anchor and reports whether it has a date.
func parseAnchor(text string) (anchor time.Time, dated bool, err error) {
	if t, err := time.Parse("15:04", text); err == nil {
		return time.Unix(0, 0).UTC().Add(time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute), false, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		if year := t.UTC().Year(); year < 1970 || year > 2199 { // a time.Duration spans 292 years
			return time.Time{}, false, &Error{"anchor", "must be between the years 1970 and 2199"}
		}
		return t.UTC(), true, nil
	}
	return time.Time{}, false, &Error{"anchor", "must be a time such as 2024-01-31T13:00:00Z, or a UTC time of day such as 13:00"}
}

// First returns the time of the first run after a start at now. last is when the last run before that was due, or zero if
// there was none. A plain interval makes up for a missed run at once; other schedules wait for the next slot.
func (s Schedule) First(last, now time.Time) time.Time { return s.clock.first(last, now) }

// Next returns the time of the run after one that was due at last and ended at now: the first slot that is after last and
// not before now. It returns zero if there is none.
func (s Schedule) Next(last, now time.Time) time.Time { return s.clock.next(last, now) }

// String describes the schedule, such as "every 6h from 13:00".
func (s Schedule) String() string { return s.words }

// formatDuration formats a duration like its String method, but without trailing zero minutes and seconds.
func formatDuration(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0 && d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}
