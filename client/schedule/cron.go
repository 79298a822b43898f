package schedule

import (
	"fmt"
	"strings"
	"time"

	// The maintained one of the libraries that parse cron expressions. It was chosen for the nights on which clocks change:
	// with others a job due in the hour that spring leaves out does not run that day.
	cron "github.com/netresearch/go-cron"
)

// fields are those that an expression has.
const fields = cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor

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
	parsed, err := cron.MustNewParser(fields).Parse(s.Cron)
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

// calendar are the minutes that match a cron expression where the clock shows the time of zone.
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
	slot := c.expression.Next(after.In(c.zone))
	if slot.IsZero() {
		return slot
	}
	return slot.UTC()
}
