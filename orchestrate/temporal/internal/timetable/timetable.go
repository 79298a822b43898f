// Package timetable translates the schedules of a pipeline file into specifications of Temporal's, which run at the same
// times.
//
// Both agree on intervals. On cron expressions they differ around clock changes: Temporal's calendars skip local times that
// don't exist, and depending on the time zone also some that occur twice, or whole days. So calendars don't cover the hours
// around a clock change at which a pipeline would run. The runs in these hours are listed one by one, for a few years.
// Specifications are renewed before these years have passed.
package timetable

import (
	"fmt"
	"hash/fnv"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/stripe-connector/stripe-connector/client/schedule"
)

// followInterval is the interval of schedules that keep a pipeline running. A pipeline that has ended restarts after at most
// this time.
const followInterval = time.Minute

// longestInterval keeps all slots after the first interval since 1970, before which Temporal finds none.
const longestInterval = 10 * 365 * 24 * time.Hour

// Spec returns the specification of a pipeline's schedule. Around the clock changes of the given years, it lists runs one by one.
//
// An interval without an anchor gets a phase of its own, computed from the pipeline's name, so that pipelines don't all run
// at the same time.
func Spec(name string, s schedule.Schedule, covered Years) (client.ScheduleSpec, error) {
	if s.Follows() {
		return intervals(client.ScheduleIntervalSpec{Every: followInterval, Offset: phase(name, followInterval)}), nil
	}
	if c, ok := s.Calendar(); ok {
		return calendars(c, s, covered), nil
	}
	i, ok := s.Interval()
	switch {
	case !ok:
		return client.ScheduleSpec{}, fmt.Errorf("the schedule %q is of a kind that Temporal doesn't have", s)
	case i.Every%time.Second != 0 || i.Anchor.Nanosecond() != 0:
		return client.ScheduleSpec{}, fmt.Errorf("the schedule %q has fractions of a second, which Temporal doesn't have: use whole seconds", s)
	case i.Every > longestInterval:
		return client.ScheduleSpec{}, fmt.Errorf("the schedule %q has an interval of more than %d hours: use a shorter one, or cron", s, longestInterval/time.Hour)
	case i.Anchor.IsZero():
		return intervals(client.ScheduleIntervalSpec{Every: i.Every, Offset: phase(name, i.Every)}), nil
	}
	spec := intervals(client.ScheduleIntervalSpec{Every: i.Every, Offset: sinceEpoch(i.Anchor) % i.Every})
	if i.Dated {
		spec.StartAt = i.Anchor
	}
	return spec, nil
}

func intervals(i ...client.ScheduleIntervalSpec) client.ScheduleSpec {
	return client.ScheduleSpec{Intervals: i}
}

// phase returns a number of whole seconds below every that depends on the name only.
func phase(name string, every time.Duration) time.Duration {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(name)) // never fails
	return time.Duration(hash.Sum64()%uint64(every/time.Second)) * time.Second
}

func sinceEpoch(t time.Time) time.Duration { return time.Duration(t.Unix()) * time.Second }
