package schedule_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stripe-connector/stripe-connector/client/schedule"
)

func parse(t *testing.T, s schedule.Spec) schedule.Schedule {
	t.Helper()
	parsed, err := schedule.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05", time.RFC3339} {
		if parsed, err := time.Parse(layout, text); err == nil {
			return parsed
		}
	}
	t.Fatalf("not a time: %s", text)
	return time.Time{}
}

// TestRuns simulates a schedule over several days. A process starts, each run takes some time, and the start times of
// the runs are compared. The first three cases are Stitch's examples.
func TestRuns(t *testing.T) {
	tests := map[string]struct {
		spec  schedule.Spec
		start string
		last  string          // when the last run before the start was due, if any
		took  []time.Duration // of each run; the last value applies to all further runs
		want  []string
	}{
		"a 6-hour grid from 13:00 UTC": {
			spec: schedule.Spec{Every: "6h", Anchor: "13:00"}, start: "2024-01-31 10:00", took: []time.Duration{time.Minute},
			want: []string{"2024-01-31 13:00", "2024-01-31 19:00", "2024-02-01 01:00", "2024-02-01 07:00", "2024-02-01 13:00"},
		},
		"a 24-hour grid whose anchor has passed today": {
			spec: schedule.Spec{Every: "24h", Anchor: "13:00"}, start: "2024-01-31 17:00", took: []time.Duration{time.Minute},
			want: []string{"2024-02-01 13:00", "2024-02-02 13:00", "2024-02-03 13:00"},
		},
		"an hourly job of 68 minutes skips the next slot": {
			spec: schedule.Spec{Every: "1h", Anchor: "12:00"}, start: "2024-01-31 11:30",
			took: []time.Duration{68 * time.Minute, 5 * time.Minute},
			want: []string{"2024-01-31 12:00", "2024-01-31 14:00", "2024-01-31 15:00", "2024-01-31 16:00"},
		},
		"every run overruns": {
			spec: schedule.Spec{Every: "1h", Anchor: "12:00"}, start: "2024-01-31 11:30", took: []time.Duration{130 * time.Minute},
			want: []string{"2024-01-31 12:00", "2024-01-31 15:00", "2024-01-31 18:00"},
		},
		"a run that ends on the grid": {
			spec: schedule.Spec{Every: "1h", Anchor: "12:00"}, start: "2024-01-31 12:00", took: []time.Duration{time.Hour, 0},
			want: []string{"2024-01-31 12:00", "2024-01-31 13:00", "2024-01-31 14:00"},
		},
		"an anchor with a date": {
			spec: schedule.Spec{Every: "7h", Anchor: "2024-01-30T13:00:00+01:00"}, start: "2024-01-31 10:00", took: []time.Duration{0},
			want: []string{"2024-01-31 16:00", "2024-01-31 23:00"},
		},
		"an anchor in the future": {
			spec: schedule.Spec{Every: "1h", Anchor: "2024-02-03T13:00:00Z"}, start: "2024-01-31 10:00", took: []time.Duration{0},
			want: []string{"2024-02-03 13:00", "2024-02-03 14:00"},
		},
		"half an hour is the default, counted from the start": {
			start: "2024-01-31 10:07", took: []time.Duration{time.Minute, 40 * time.Minute, time.Minute},
			want: []string{"2024-01-31 10:07", "2024-01-31 10:37", "2024-01-31 11:37", "2024-01-31 12:07"},
		},
		"a restart keeps the interval": {
			start: "2024-01-31 10:07", last: "2024-01-31 10:00", took: []time.Duration{0},
			want: []string{"2024-01-31 10:30", "2024-01-31 11:00"},
		},
		"an overdue run starts at once": {
			start: "2024-01-31 10:07", last: "2024-01-29 10:00", took: []time.Duration{0},
			want: []string{"2024-01-31 10:07", "2024-01-31 10:37"},
		},
		"a last run in the future is not waited for": {
			start: "2024-01-31 10:07", last: "2031-01-31 10:00", took: []time.Duration{0},
			want: []string{"2024-01-31 10:07", "2024-01-31 10:37"},
		},
		"cron in UTC": {
			spec: schedule.Spec{Cron: "30 6 * * 1-5"}, start: "2024-02-02 06:30", took: []time.Duration{0}, // a Friday
			want: []string{"2024-02-02 06:30", "2024-02-05 06:30"},
		},
		"cron skips slots during a run": {
			spec: schedule.Spec{Cron: "*/15 * * * *"}, start: "2024-02-02 06:31", took: []time.Duration{20 * time.Minute, 0},
			want: []string{"2024-02-02 06:45", "2024-02-02 07:15", "2024-02-02 07:30"},
		},
		"cron follows its time zone": {
			spec: schedule.Spec{Cron: "0 6 * * *", TimeZone: "Europe/Berlin"}, start: "2026-03-28 00:00", took: []time.Duration{0},
			want: []string{"2026-03-28 05:00", "2026-03-29 04:00", "2026-03-30 04:00"},
		},
		"daylight saving time skips no day": {
			spec: schedule.Spec{Cron: "30 2 * * *", TimeZone: "Europe/Berlin"}, start: "2026-03-28 00:00", took: []time.Duration{0},
			want: []string{"2026-03-28 01:30", "2026-03-29 01:30", "2026-03-30 00:30"},
		},
		"@daily": {
			spec: schedule.Spec{Cron: "@daily"}, start: "2024-02-02 06:30", took: []time.Duration{0},
			want: []string{"2024-02-03 00:00", "2024-02-04 00:00"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := parse(t, test.spec)
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(at(t, test.start)))
				var last time.Time
				if test.last != "" {
					last = at(t, test.last)
				}
				var got []string
				for next := s.First(last, time.Now()); len(got) < len(test.want); next = s.Next(next, time.Now()) {
					time.Sleep(time.Until(next))
					got = append(got, time.Now().UTC().Format("2006-01-02 15:04"))
					time.Sleep(test.took[min(len(got), len(test.took))-1])
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestSlots checks the documented properties of Next for random schedules.
func TestSlots(t *testing.T) {
	if testing.Short() {
		t.Skip("has nothing concurrent")
	}
	specs := []schedule.Spec{{}, {Every: "7h"}, {Every: "6h", Anchor: "13:00"}, {Every: "95m", Anchor: "2024-01-31T13:00:00Z"},
		{Cron: "*/7 3-5 * * *", TimeZone: "America/New_York"}, {Cron: "0 0 29 2 *"}}
	rapid.Check(t, func(r *rapid.T) {
		s := parse(t, rapid.SampledFrom(specs).Draw(r, "spec"))
		base := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		last := base.Add(time.Duration(rapid.Int64Range(0, int64(3*365*24*time.Hour)).Draw(r, "last")))
		now := last.Add(time.Duration(rapid.Int64Range(0, int64(90*24*time.Hour)).Draw(r, "took")))
		next := s.Next(last, now)
		if !next.After(last) || next.Before(now) {
			r.Fatalf("the run due at %s that ended at %s is followed by %s", last, now, next)
		}
		if again := s.Next(next, next); !again.After(next) {
			r.Fatalf("%s is followed by %s", next, again)
		}
		if same := s.Next(last, next); !same.Equal(next) {
			r.Fatalf("a run that ended at slot %s skips it", next)
		}
	})
}

func TestParseRefuses(t *testing.T) {
	tests := map[string]struct {
		spec        schedule.Spec
		field, want string
	}{
		"no duration":    {schedule.Spec{Every: "often"}, "every", "such as 30m"},
		"too often":      {schedule.Spec{Every: "59s"}, "every", "at least 1m"},
		"backwards":      {schedule.Spec{Every: "-1h"}, "every", "at least 1m"},
		"anchor":         {schedule.Spec{Anchor: "25:00"}, "anchor", "such as 13:00"},
		"both":           {schedule.Spec{Every: "1h", Cron: "0 0 * * *"}, "every", "remove one of them"},
		"old anchor":     {schedule.Spec{Anchor: "0000-01-01T00:00:00Z"}, "anchor", "between the years 1970 and 2199"},
		"anchored cron":  {schedule.Spec{Anchor: "13:00", Cron: "0 0 * * *"}, "anchor", "remove one of them"},
		"zone alone":     {schedule.Spec{TimeZone: "UTC"}, "time_zone", "applies only to cron"},
		"zone":           {schedule.Spec{Cron: "0 0 * * *", TimeZone: "Mars/Olympus"}, "time_zone", "such as Europe/Berlin"},
		"local zone":     {schedule.Spec{Cron: "0 0 * * *", TimeZone: "Local"}, "time_zone", "such as Europe/Berlin"},
		"six fields":     {schedule.Spec{Cron: "0 0 0 * * *"}, "cron", "write minute, hour"},
		"minute 60":      {schedule.Spec{Cron: "60 * * * *"}, "cron", "write minute, hour"},
		"30 February":    {schedule.Spec{Cron: "0 0 30 2 *"}, "cron", "would never run"},
		"zone in cron":   {schedule.Spec{Cron: "CRON_TZ=UTC 0 0 * * *"}, "cron", "set time_zone instead"},
		"every in cron":  {schedule.Spec{Cron: "@every 1h"}, "cron", "set every instead"},
		"empty in words": {schedule.Spec{Cron: " "}, "cron", "write minute, hour"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := schedule.Parse(test.spec)
			e, ok := errors.AsType[*schedule.Error](err)
			if !ok || e.Field != test.field || !strings.Contains(e.Message, test.want) {
				t.Errorf("got %v, want an error about %s with %q", err, test.field, test.want)
			}
		})
	}
}

func TestString(t *testing.T) {
	for want, spec := range map[string]schedule.Spec{
		"every 30m":                     {},
		"every 6h from 13:00":           {Every: "6h", Anchor: "13:00"},
		"every 1h30m0s":                 {Every: "90m"},
		"cron 0 6 * * *, Europe/Berlin": {Cron: "0 6 * * *", TimeZone: "Europe/Berlin"},
		"cron @daily, UTC":              {Cron: "@daily"},
	} {
		if got := parse(t, spec).String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
