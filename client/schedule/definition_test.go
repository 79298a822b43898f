package schedule_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/client/schedule"
)

func TestInterval(t *testing.T) {
	tests := map[string]struct {
		spec schedule.Spec
		want schedule.Interval
	}{
		"the default":  {schedule.Spec{}, schedule.Interval{Every: 30 * time.Minute}},
		"time of day":  {schedule.Spec{Every: "6h", Anchor: "13:30"}, schedule.Interval{Every: 6 * time.Hour, Anchor: at(t, "1970-01-01 13:30")}},
		"with a date":  {schedule.Spec{Every: "6h", Anchor: "2024-01-31T13:00:00Z"}, schedule.Interval{Every: 6 * time.Hour, Anchor: at(t, "2024-01-31 13:00"), Dated: true}},
		"other offset": {schedule.Spec{Every: "6h", Anchor: "2024-01-31T13:00:00+01:00"}, schedule.Interval{Every: 6 * time.Hour, Anchor: at(t, "2024-01-31 12:00"), Dated: true}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := parse(t, test.spec)
			got, ok := s.Interval()
			if diff := cmp.Diff(test.want, got); diff != "" || !ok {
				t.Errorf("ok is %t (-want +got):\n%s", ok, diff)
			}
			if _, ok := s.Calendar(); ok {
				t.Error("an interval has a calendar")
			}
		})
	}
	if _, ok := parse(t, schedule.Spec{Follow: true}).Interval(); ok {
		t.Error("follow has an interval")
	}
}

func TestCalendar(t *testing.T) {
	s := parse(t, schedule.Spec{Cron: "*/20 6,8 1-3 feb 5,7", TimeZone: "Europe/Berlin"})
	got, ok := s.Calendar()
	zone := got.Zone
	got.Zone = nil
	want := schedule.Calendar{Minutes: []int{0, 20, 40}, Hours: []int{6, 8}, Days: []int{1, 2, 3}, Months: []int{2}, Weekdays: []int{0, 5}, EitherDay: true}
	if diff := cmp.Diff(want, got); diff != "" || !ok || zone.String() != "Europe/Berlin" {
		t.Errorf("ok is %t, the zone is %s (-want +got):\n%s", ok, zone, diff)
	}
	if _, ok := s.Interval(); ok {
		t.Error("a calendar has an interval")
	}
	if both, _ := parse(t, schedule.Spec{Cron: "0 0 */2 * 1"}).Calendar(); both.EitherDay || len(both.Days) != 16 {
		t.Errorf("got %+v, want both days to be required", both)
	}
	if daily, ok := parse(t, schedule.Spec{Cron: "@daily"}).Calendar(); !ok || len(daily.Weekdays) != 7 || len(daily.Days) != 31 || len(daily.Hours) != 1 {
		t.Errorf("got %+v, want every day at midnight", daily)
	}
}
