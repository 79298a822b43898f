package schedule_test

import (
	"archive/zip"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // so that every machine has the same zones

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/client/schedule"
)

// TestCronAroundClockChanges compares the runs of random expressions with an oracle's, around the clock changes in
// every zone of tzdata over a century.
func TestCronAroundClockChanges(t *testing.T) {
	const changesPerZone = 4
	random := rand.New(rand.NewPCG(1, 2))
	for _, name := range zones(t) {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		changes := clockChanges(zone)
		for range changesPerZone {
			change := century.Add(time.Duration(random.Int64N(int64(centuryEnd.Sub(century))))).Truncate(time.Minute)
			if len(changes) > 0 {
				change = changes[random.IntN(len(changes))]
			}
			e := randomExpression(random, change.In(zone))
			compareRuns(t, name, e, change.Add(-36*time.Hour), change.Add(36*time.Hour))
		}
	}
}

// TestCronOverYears compares runs over longer periods, mostly without clock changes.
func TestCronOverYears(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	names := zones(t)
	for range 10 {
		from := time.Date(2000+random.IntN(98), time.Month(1+random.IntN(12)), 1, 0, 0, 0, 0, time.UTC)
		name := names[random.IntN(len(names))]
		compareRuns(t, name, randomExpression(random, from), from, from.AddDate(2, 0, 0))
	}
	if testing.Short() {
		return
	}
	leapDay := expression{only(0), only(0), only(29), only(2), anyOf(0, 6)}
	compareRuns(t, "Europe/Dublin", leapDay, centuryEnd.AddDate(-5, 0, 0), centuryEnd.AddDate(5, 0, 0)) // none from 2096 to 2104
}

func TestCronDays(t *testing.T) {
	tests := map[string]struct {
		cron, zone string
		start      string
		want       []string
	}{
		"either day": {
			cron: "0 12 13 * 5", start: "2026-02-01 00:00",
			want: []string{"2026-02-06 12:00", "2026-02-13 12:00", "2026-02-20 12:00", "2026-02-27 12:00", "2026-03-06 12:00", "2026-03-13 12:00"},
		},
		"a star is no restriction, even with a step": {
			cron: "0 12 */10 * 5", start: "2026-01-01 00:00",
			want: []string{"2026-05-01 12:00", "2026-07-31 12:00", "2026-08-21 12:00"},
		},
		"a midnight that doesn't exist": {
			cron: "0 0 * * *", zone: "America/Santiago", start: "2026-09-05 12:00",
			want: []string{"2026-09-06 04:00", "2026-09-07 03:00"},
		},
		"half an hour that doesn't exist": {
			cron: "15 2 * * *", zone: "Australia/Lord_Howe", start: "2026-10-03 00:00",
			want: []string{"2026-10-03 15:45", "2026-10-04 15:15"},
		},
		"a day that doesn't exist": {
			cron: "0 9 30 12 *", zone: "Pacific/Apia", start: "2011-12-01 00:00",
			want: []string{"2011-12-30 19:00", "2012-12-29 19:00"},
		},
		"a time that occurs twice": {
			cron: "30 2 * * *", zone: "Europe/Berlin", start: "2026-10-24 12:00",
			want: []string{"2026-10-25 00:30", "2026-10-25 01:30", "2026-10-26 01:30"},
		},
		"no leap day in 2100": {
			cron: "0 0 29 2 *", start: "2096-02-29 00:00",
			want: []string{"2104-02-29 00:00"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := parse(t, schedule.Spec{Cron: test.cron, TimeZone: test.zone})
			var got []string
			for last := at(t, test.start); len(got) < len(test.want); {
				last = s.Next(last, last)
				got = append(got, last.Format("2006-01-02 15:04"))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// compareRuns compares the runs in the half-open interval [from, to) with the oracle's.
func compareRuns(t *testing.T, name string, e expression, from, to time.Time) {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	s := parse(t, schedule.Spec{Cron: e.String(), TimeZone: name})
	var got []time.Time
	for run := s.Next(from.Add(-1), from); !run.IsZero() && run.Before(to); run = s.Next(run, run) {
		got = append(got, run)
	}
	if want := runs(zone, e, from, to); !slices.EqualFunc(want, got, time.Time.Equal) {
		t.Fatalf("%s in %s, %s to %s (-want +got):\n%s", e, name, from, to, cmp.Diff(want, got))
	}
}

// runs is the oracle. It checks every minute against the local clock. When that clock is set forward, the oracle also
// checks a second clock that is not, for as long as the jump.
func runs(zone *time.Location, e expression, from, to time.Time) []time.Time {
	type clock struct {
		offset int
		until  time.Time
	}
	var found []time.Time
	var late []clock
	_, before := from.Add(-26 * time.Hour).In(zone).Zone()
	for t := from.Add(-26 * time.Hour); t.Before(to); t = t.Add(time.Minute) {
		_, offset := t.In(zone).Zone()
		if offset > before {
			late = append(late, clock{before, t.Add(time.Duration(offset-before) * time.Second)})
		}
		before = offset
		late = slices.DeleteFunc(late, func(c clock) bool { return !t.Before(c.until) })
		matches := e.matches(t, offset) || slices.ContainsFunc(late, func(c clock) bool { return e.matches(t, c.offset) })
		if matches && !t.Before(from) {
			found = append(found, t)
		}
	}
	return found
}

// field is one field of an expression, and the values that it allows.
type field struct {
	text    string
	allowed [60]bool
}

// anyOf returns a field that allows every value from low to high.
func anyOf(low, high int) field {
	f := field{text: "*"}
	for i := low; i <= high; i++ {
		f.allowed[i] = true
	}
	return f
}

// only returns a field that allows a single value.
func only(value int) field {
	f := field{text: strconv.Itoa(value)}
	f.allowed[value] = true
	return f
}

// expression is a cron expression with five fields.
type expression struct{ minute, hour, day, month, weekday field }

func (e expression) String() string {
	return strings.Join([]string{e.minute.text, e.hour.text, e.day.text, e.month.text, e.weekday.text}, " ")
}

func (e expression) matches(t time.Time, offset int) bool {
	local := t.Add(time.Duration(offset) * time.Second).UTC()
	if !e.minute.allowed[local.Minute()] || !e.hour.allowed[local.Hour()] || !e.month.allowed[local.Month()] {
		return false
	}
	day, weekday := e.day.allowed[local.Day()], e.weekday.allowed[local.Weekday()]
	if strings.Contains(e.day.text, "*") || strings.Contains(e.weekday.text, "*") {
		return day && weekday
	}
	return day || weekday
}

// randomExpression returns a random expression that matches some time close to near.
func randomExpression(random *rand.Rand, near time.Time) expression {
	pick := func(low, high int, near ...int) field {
		f := field{}
		switch kind := random.IntN(10); {
		case kind < 3:
			return anyOf(low, high)
		case kind < 5:
			step := 2 + random.IntN(high/2)
			f.text = fmt.Sprintf("*/%d", step)
			for i := low; i <= high; i += step {
				f.allowed[i] = true
			}
		case kind < 7:
			from, to := near[random.IntN(len(near))], min(high, near[0]+random.IntN(3))
			to = max(from, to)
			f.text = fmt.Sprintf("%d-%d", from, to)
			for i := from; i <= to; i++ {
				f.allowed[i] = true
			}
		default:
			var values []string
			for range 1 + random.IntN(3) {
				value := near[random.IntN(len(near))]
				f.allowed[value] = true
				values = append(values, strconv.Itoa(value))
			}
			f.text = strings.Join(values, ",")
		}
		return f
	}
	hour, day := near.Hour(), near.Day()
	e := expression{
		minute:  pick(0, 59, 0, 15, 30, 45, near.Minute(), random.IntN(60)),
		hour:    pick(0, 23, hour, (hour+23)%24, (hour+22)%24, (hour+1)%24, 0, 1, 2, 3),
		day:     pick(1, 31, day, max(day-1, 1), min(day+1, 31)),
		month:   anyOf(1, 12),
		weekday: pick(0, 6, int(near.Weekday()), (int(near.Weekday())+6)%7),
	}
	if random.IntN(4) == 0 {
		e.month = pick(1, 12, int(near.Month()))
	}
	return e
}

// The century that the tests cover.
var (
	century    = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	centuryEnd = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

// clockChanges returns the clock changes of a zone in the century.
func clockChanges(zone *time.Location) []time.Time {
	offset := func(t time.Time) int { _, offset := t.In(zone).Zone(); return offset }
	var changes []time.Time
	for t := century; t.Before(centuryEnd); t = t.AddDate(0, 0, 1) {
		low, high := t, t.AddDate(0, 0, 1)
		if offset(low) == offset(high) {
			continue
		}
		for high.Sub(low) > time.Minute {
			middle := low.Add(high.Sub(low) / 2).Truncate(time.Minute)
			if offset(middle) == offset(low) {
				low = middle
			} else {
				high = middle
			}
		}
		changes = append(changes, high)
	}
	return changes
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
	if len(names) < 400 {
		t.Fatalf("only %d zones", len(names))
	}
	return names
}
