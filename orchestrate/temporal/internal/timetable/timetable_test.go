package timetable_test

import (
	"archive/zip"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // so that every machine has the same zones

	"github.com/stripe-connector/stripe-connector/client/schedule"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal/internal/timetable"
)

// The years whose clock changes the specifications of these tests cover.
var (
	covered = timetable.Years{First: 2027, Last: 2030}
	begin   = time.Date(covered.First, 1, 1, 12, 0, 0, 0, time.UTC) // after the start of the year in any zone
	end     = time.Date(covered.Last, 12, 31, 12, 0, 0, 0, time.UTC)
)

// curious are zones with unusual clock changes or offsets, and some usual ones.
var curious = []string{
	"", "Europe/Berlin", "America/New_York",
	"Europe/Dublin",                                      // its winter time is the one with daylight saving
	"Africa/Casablanca",                                  // changes with the moon, near Ramadan
	"America/Santiago", "America/Havana", "Africa/Cairo", // midnight is skipped, or occurs twice
	"Asia/Beirut", "America/Asuncion", "America/Nuuk", //
	"Atlantic/Azores", "America/Scoresbysund", "Asia/Gaza", //
	"Australia/Lord_Howe",                               // changes by half an hour
	"Antarctica/Troll",                                  // changes by two hours
	"Asia/Kolkata", "Asia/Kathmandu", "Pacific/Chatham", // offsets of 30 and 45 minutes
	"Australia/Adelaide", "America/St_Johns", "Asia/Tehran", //
	"Pacific/Auckland", "Pacific/Kiritimati", "Pacific/Niue", // far from UTC
}

// runs returns the times in [from, to) at which `stripe-connector run` runs a pipeline whose runs take no time.
func runs(s schedule.Schedule, from, to time.Time) []time.Time {
	var all []time.Time
	for t := s.First(time.Time{}, from); !t.IsZero() && t.Before(to); t = s.Next(t, t) {
		all = append(all, t)
	}
	return all
}

// compare checks that a schedule runs at the same times in both schedulers, in each period.
func compare(t *testing.T, c *compiler, spec schedule.Spec, periods ...period) {
	t.Helper()
	s, err := schedule.Parse(spec)
	if err != nil {
		t.Fatalf("%+v: %v", spec, err)
	}
	translated, err := timetable.Spec("acme", s, covered)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range periods {
		got, want := c.of(t, translated, p.from, p.to), runs(s, p.from, p.to)
		if !slices.EqualFunc(want, got, time.Time.Equal) {
			lines := append(missing("-", want, got, spec.TimeZone), missing("+", got, want, spec.TimeZone)...)
			t.Errorf("%s (-want +got):\n%s", s, strings.Join(lines[:min(10, len(lines))], "\n"))
		}
	}
}

// missing formats the times that are in some, but not in others.
func missing(sign string, some, others []time.Time, name string) []string {
	zone, err := time.LoadLocation(name)
	if err != nil {
		return []string{err.Error()}
	}
	var lines []string
	for _, s := range some {
		if !slices.ContainsFunc(others, s.Equal) {
			lines = append(lines, fmt.Sprintf("%s %s", sign, s.In(zone)))
		}
	}
	return lines
}

type period struct{ from, to time.Time }

// changes returns a period around each clock change of a zone in the covered years.
func changes(t *testing.T, name string) []period {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	offset := func(at time.Time) int { _, seconds := at.In(zone).Zone(); return seconds }
	var all []period
	for day := begin; day.Before(end); day = day.Add(24 * time.Hour) {
		if next := day.Add(24 * time.Hour); offset(day) != offset(next) {
			all = append(all, period{day.Add(-24 * time.Hour), next.Add(24 * time.Hour)})
		}
	}
	return all
}

// TestCron compares cron expressions around all clock changes of several zones, and each over a year in one zone.
func TestCron(t *testing.T) {
	c := newCompiler(t)
	around := map[string][]period{}
	for _, zone := range curious {
		around[zone] = changes(t, zone)
	}
	year := period{begin.AddDate(1, 0, 0), begin.AddDate(2, 0, 0)} // 2028, a leap year
	for i, cron := range []string{
		"30 6 * * *", "30 6 * * 1-5", "0 0 * * *", "30 2 * * *", "15 1 * * *", "45 0,1,2,3 * * *", "0 * * * *", "*/15 * * * *", "*/7 * * * *", "59 23 * * *",
		"0 12 13 * 5", "0 2 1-7 * 0", "*/30 0-4 * * 0", "0 12 * * 0", "0 12 * * 6", "0 12 * * 4", "0 12 * * fri", "15 */2 25-31 mar,oct sun", "0 0 29 2 *",
		"0 0 31 * *", "30 0 1 1 *", "0 12 */10 * 5", "@hourly", "@daily", "@weekly", "@monthly", "@yearly", "5 4 * 9 sat-sun", "0 1 * * 7", "20-40/5 1-3 * * *",
		"0 0 1-31 * 1", "30 2 * 3-10 0", "0 0 15 * mon",
	} {
		for _, zone := range curious {
			compare(t, c, schedule.Spec{Cron: cron, TimeZone: zone}, around[zone]...)
		}
		compare(t, c, schedule.Spec{Cron: cron, TimeZone: curious[i%len(curious)]}, year)
	}
}

// TestRandomCron compares random expressions around a clock change, in every zone of tzdata.
func TestRandomCron(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	c := newCompiler(t)
	for _, zone := range zones(t) {
		around := changes(t, zone)
		if len(around) == 0 {
			from := begin.Add(time.Duration(random.Int64N(int64(end.Sub(begin)))))
			around = []period{{from.Truncate(time.Second), from.Add(72 * time.Hour).Truncate(time.Second)}}
		}
		p := around[random.IntN(len(around))]
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for {
			spec := schedule.Spec{Cron: expression(random, p.from.Add(36*time.Hour).In(location)), TimeZone: zone}
			if _, err := schedule.Parse(spec); err == nil { // else it has a step beyond its range, or no such day
				compare(t, c, spec, p)
				break
			}
		}
	}
}

// expression returns a random expression of which some times are near.
func expression(random *rand.Rand, near time.Time) string {
	pick := func(low, high int, values ...int) string {
		value := func() int { return values[random.IntN(len(values))] }
		switch random.IntN(6) {
		case 0, 1:
			return "*"
		case 2:
			return fmt.Sprintf("*/%d", 2+random.IntN(high/2))
		case 3:
			from := value()
			return fmt.Sprintf("%d-%d/%d", from, from+random.IntN(high-from+1), 1+random.IntN(3))
		case 4:
			return fmt.Sprintf("%d,%d,%d", value(), value(), low+random.IntN(high-low+1))
		}
		return fmt.Sprint(value())
	}
	hour, day, weekday := near.Hour(), near.Day(), int(near.Weekday())
	fields := []string{
		pick(0, 59, 0, 15, 30, 45, 59), pick(0, 23, hour, 0, 1, 2, 3, 23), pick(1, 31, day, max(day-1, 1), min(day+1, 31)), "*",
		pick(0, 6, weekday, (weekday+6)%7),
	}
	if random.IntN(4) == 0 {
		fields[3] = fmt.Sprint(int(near.Month()))
	}
	return strings.Join(fields, " ")
}

// zones returns the names of all zones in Go's own tzdata.
func zones(t *testing.T) []string {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	var names []string
	for _, file := range archive.File {
		if !strings.HasSuffix(file.Name, "/") && file.Name != "Factory" {
			names = append(names, file.Name)
		}
	}
	return names
}

func TestIntervals(t *testing.T) {
	c := newCompiler(t)
	year := period{begin, begin.AddDate(0, 2, 0)}
	for _, spec := range []schedule.Spec{
		{Every: "6h", Anchor: "13:00"}, {Every: "1m"}, {Every: "7h", Anchor: "2024-01-30T13:00:00+01:00"}, {Every: "95m", Anchor: "23:59"}, {Every: "720h", Anchor: "2027-02-01T00:00:01Z"},
		{Every: "24h", Anchor: "00:00"}, {Every: "87600h", Anchor: "2027-01-20T00:00:00Z"}, {Every: "5h", Anchor: "2199-01-01T00:00:00Z"},
	} {
		if spec.Anchor != "" {
			compare(t, c, spec, year)
		}
	}
	// Without an anchor, the run after one that was due at a slot is due at the next slot.
	s, err := schedule.Parse(schedule.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	acme, err := timetable.Spec("acme", s, covered)
	if err != nil {
		t.Fatal(err)
	}
	slots := c.of(t, acme, year.from, year.to)
	for i, slot := range slots[1:] {
		if want := s.Next(slots[i], slots[i]); !slot.Equal(want) {
			t.Fatalf("got %s, want %s", slot, want)
		}
	}
	if len(slots) != 59*48 {
		t.Errorf("got %d slots", len(slots))
	}
	other, err := timetable.Spec("zebra", s, covered)
	if err != nil || other.Intervals[0].Offset == acme.Intervals[0].Offset {
		t.Errorf("got %v and %v with error %v, want different phases", acme, other, err)
	}
}

// TestSize checks how many calendars and single runs expressions take.
func TestSize(t *testing.T) {
	tests := map[string]struct {
		spec             schedule.Spec
		calendars, times int
	}{
		"far from clock changes":             {schedule.Spec{Cron: "30 6 * * 1-5", TimeZone: "Europe/Berlin"}, 1, 0},
		"either day":                         {schedule.Spec{Cron: "30 6 1 * 1", TimeZone: "Europe/Berlin"}, 2, 0},
		"no clock changes":                   {schedule.Spec{Cron: "30 2 * * *", TimeZone: "Asia/Kolkata"}, 1, 0},
		"every hour, whatever clocks show":   {schedule.Spec{Cron: "*/5 * * * *", TimeZone: "Europe/Berlin"}, 1, 0},
		"in a skipped and a repeated hour":   {schedule.Spec{Cron: "30 2 * * *", TimeZone: "Europe/Berlin"}, 13, 12},
		"every hour, but half an hour skips": {schedule.Spec{Cron: "0 * * * *", TimeZone: "Australia/Lord_Howe"}, 21, 20},
	}
	for name, test := range tests {
		s, err := schedule.Parse(test.spec)
		if err != nil {
			t.Fatal(err)
		}
		spec, err := timetable.Spec("acme", s, covered)
		if err != nil {
			t.Fatal(err)
		}
		if len(spec.Calendars) != test.calendars || len(spec.Intervals) != test.times {
			t.Errorf("%s: got %d calendars and %d times, want %d and %d", name, len(spec.Calendars), len(spec.Intervals), test.calendars, test.times)
		}
	}
}
