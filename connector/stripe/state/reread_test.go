package state_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
)

// TestRereadResumes holds a Reread that was saved and parsed to knowing all that it knew, and little else.
func TestRereadResumes(t *testing.T) {
	const at, most = clock.Second(1_700_000_000), 600 // bytes
	for _, keys := range []int{0, 1, 20, 300, 20_000} {
		t.Run(fmt.Sprint(keys), func(t *testing.T) {
			var r state.Reread
			r.MarkAll(at - 100)
			for i := range keys {
				r.MarkKey(fmt.Sprint("object ", i), at)
			}
			resumed := resume(t, &r, most)
			resumed = resume(t, resumed, most)
			resumed.MarkKey("object new", at+3)
			resumed = resume(t, resumed, most)
			for _, key := range []string{"object new", "object 0", fmt.Sprint("object ", keys-1)} {
				if key != "object new" && keys == 0 {
					continue
				}
				if !resumed.MayBeNewer(key, at) || resumed.MayBeNewer(key, at+4) {
					t.Errorf("%q is not known, or for too long", key)
				}
			}
			if !resumed.MayBeNewer("anything", at-100) {
				t.Error("all records are no longer known")
			}
			others := 0
			for i := range 1000 {
				if resumed.MayBeNewer(fmt.Sprint("other ", i), at) {
					others++
				}
			}
			if keys >= 20 && keys <= 300 && others > 60 {
				t.Errorf("%d of 1000 others are taken for known", others)
			}
			resumed.Forget(at + 4)
			if resumed.MayBeNewer("object new", at) || !resumed.MayBeNewer("anything", at-100) || resumed.Until() != at-100 {
				t.Errorf("after forgetting, it knows events until %s", resumed.Until())
			}
		})
	}
}

func resume(t *testing.T, r *state.Reread, maximum int) *state.Reread {
	t.Helper()
	saved, err := json.Marshal(r)
	if err != nil || len(saved) > maximum {
		t.Fatalf("%d bytes: %v", len(saved), err)
	}
	resumed := new(state.Reread)
	if err := json.Unmarshal(saved, resumed); err != nil {
		t.Fatalf("%s: %v", saved, err)
	}
	return resumed
}

func TestRereadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`"yesterday"`: "not a time",
		`{"until":"2024-06-01T00:00:00Z","keys":""}`: "names no records",
		`{"keys":"AAAA"}`: "names no records",
		`{"until":"2024-06-01T00:00:00Z","keys":"` + strings.Repeat("AAAA", 200) + `"}`: "names no records",
		`{"until":"2024-06-01T00:00:00Z","keys":"AAAA","since":"2024-06-01T00:00:00Z"}`: "unknown field",
	} {
		if err := json.Unmarshal([]byte(text), new(state.Reread)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: got %v, want %q", text, err, want)
		}
	}
}
