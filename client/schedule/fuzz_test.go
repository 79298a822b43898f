package schedule_test

import (
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/client/schedule"
)

// FuzzParse checks that for any valid schedule, the second run is after the first.
func FuzzParse(f *testing.F) {
	f.Add("30 6 * * 1-5", "Europe/Berlin", "", "")
	f.Add("@daily", "", "", "")
	f.Add("0 0 29 2 *", "Pacific/Apia", "", "")
	f.Add("", "", "90m", "2024-01-01T00:00:00Z")
	now := time.Date(2024, 3, 30, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, cron, zone, every, anchor string) {
		parsed, err := schedule.Parse(schedule.Spec{Cron: cron, TimeZone: zone, Every: every, Anchor: anchor})
		if err != nil {
			return
		}
		first := parsed.Next(time.Time{}, now)
		if second := parsed.Next(first, first); !first.IsZero() && !second.IsZero() && !second.After(first) {
			t.Errorf("%s is followed by %s", first, second)
		}
	})
}
