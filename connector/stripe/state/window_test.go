package state

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestManyWindows rejects a state with more windows than reading ever leaves.
func TestManyWindows(t *testing.T) {
	for n, want := range map[int]bool{maxWindows: true, maxWindows + 1: false} {
		var all []string
		for i := range n {
			from := time.Date(2023, 6, 15, 0, 0, i, 0, time.UTC)
			all = append(all, fmt.Sprintf(`{"from":%q,"to":%q}`, from.Format(time.RFC3339), from.Add(time.Second).Format(time.RFC3339)))
		}
		windows := strings.Join(all, ",")
		raw := fmt.Sprintf(`{"version":%d,"mode":"test","generation":1,"from":"2023-06-15T00:00:00Z","to":"2024-06-15T12:00:00Z","pass":{"id":"A","sequence":0,"streams":1},"windows":[%s]}`, 1, windows)
		if _, err := Parse([]byte(raw), "test", testNow); (err == nil) != want {
			t.Errorf("%d windows: %v", n, err)
		}
	}
}

// TestOverlappingWindows rejects states whose windows would be read twice, in any order, and accepts the windows that reading
// leaves.
func TestOverlappingWindows(t *testing.T) {
	const first, second = `{"from":"2023-06-15T00:00:00Z","to":"2023-06-20T00:00:00Z"}`, `{"from":"2023-06-20T00:00:00Z","to":"2023-06-25T00:00:00Z"}`
	const across = `{"from":"2023-06-19T23:59:59Z","to":"2023-06-21T00:00:00Z","after":"in_1","at":"2023-06-20T00:00:00Z"}`
	ofClock := func(window, clock string) string {
		return strings.Replace(window, "{", fmt.Sprintf(`{"clock":%q,`, clock), 1)
	}
	tests := map[string]struct {
		windows []string
		problem string
	}{
		"adjacent":               {[]string{second, first}, ""},
		"empty":                  {[]string{first, `{"from":"2023-06-16T00:00:00Z","to":"2023-06-16T00:00:00Z"}`}, ""},
		"twice":                  {[]string{second, first, first}, "windows[1] and windows[2] overlap"},
		"partly":                 {[]string{across, first}, "windows[1] and windows[0] overlap"},
		"one inside another":     {[]string{`{"from":"2023-06-16T00:00:00Z","to":"2023-06-17T00:00:00Z"}`, second, first}, "windows[2] and windows[0] overlap"},
		"of two clocks":          {[]string{first, ofClock(first, "clock_1"), ofClock(first, "clock_2")}, ""},
		"of a clock":             {[]string{first, ofClock(across, "clock_1"), ofClock(second, "clock_1")}, "windows[1] and windows[2] overlap"},
		"inverted":               {[]string{first, `{"from":"2023-06-25T00:00:00Z","to":"2023-06-21T00:00:00Z"}`}, "windows[1] ends before it starts"},
		"outside":                {[]string{`{"from":"2022-06-15T00:00:00Z","to":"2022-06-16T00:00:00Z"}`}, "windows[0] is not inside the range"},
		"position outside of it": {[]string{strings.Replace(second, "}", `,"after":"in_1","at":"2023-06-25T00:00:00Z"}`, 1)}, "the position of windows[0]"},
	}
	for name, test := range tests {
		raw := fmt.Sprintf(`{"version":%d,"mode":"test","generation":1,"from":"2023-06-15T00:00:00Z","to":"2024-06-15T12:00:00Z","pass":{"id":"A","sequence":0,"streams":1},"windows":[%s]}`, Version, strings.Join(test.windows, ","))
		_, err := Parse([]byte(raw), "test", testNow)
		if (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
			t.Errorf("%s: got %v, want %q", name, err, test.problem)
		}
	}
}
