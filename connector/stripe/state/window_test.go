package state

import (
	"fmt"
	"strings"
	"testing"
)

// TestManyWindows rejects a state with more windows than reading ever leaves.
func TestManyWindows(t *testing.T) {
	for n, want := range map[int]bool{maxWindows: true, maxWindows + 1: false} {
		windows := strings.TrimSuffix(strings.Repeat(`{"from":"2023-06-15T00:00:00Z","to":"2023-06-16T00:00:00Z"},`, n), ",")
		raw := fmt.Sprintf(`{"version":%d,"mode":"test","generation":1,"from":"2023-06-15T00:00:00Z","to":"2024-06-15T12:00:00Z","pass":{"id":"A","sequence":0,"streams":1},"windows":[%s]}`, 1, windows)
		if _, err := Parse([]byte(raw), "test", testNow); (err == nil) != want {
			t.Errorf("%d windows: %v", n, err)
		}
	}
}
