package state

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
)

// Window is a half-open range of creation times. It is read from its newest end down; After is the last object read.
type Window struct {
	From  clock.Second `json:"from"`
	To    clock.Second `json:"to"`
	After string       `json:"after,omitempty"` // the last object read; empty if none
	At    clock.Second `json:"at,omitzero"`     // creation time of that object
	// Clock is a test clock whose objects the window covers, whatever their creation time; empty for objects without a test
	// clock.
	Clock string `json:"clock,omitempty"`
}

// Remaining returns the number of seconds left to read.
func (w Window) Remaining() int64 {
	if w.At != 0 {
		return int64(w.At - w.From)
	}
	return int64(w.To - w.From)
}

// WithoutCursor returns the window to resume with if the object After was deleted. It starts with the second in which that
// object was created, so some objects of that second are read twice.
func (w Window) WithoutCursor() Window {
	if w.At != 0 {
		return Window{From: w.From, To: w.At + 1, Clock: w.Clock}
	}
	return Window{From: w.From, To: w.To, Clock: w.Clock}
}

// maxWindows is far more than reading leaves: a few for each worker, and one for each test clock.
const maxWindows = 10_000

// validateWindows checks that the windows are parts of the state's range, and that no two of them cover the same objects. The
// error names the first one that is wrong.
func (s State) validateWindows() error {
	if len(s.Windows) > maxWindows {
		return fmt.Errorf("is damaged: it has %d windows, more than %d", len(s.Windows), maxWindows)
	}
	order := make([]int, len(s.Windows))
	for i, w := range s.Windows {
		order[i] = i
		switch {
		case w.From > w.To:
			return fmt.Errorf("is damaged: windows[%d] ends before it starts", i)
		case w.From < s.From || w.To > s.To:
			return fmt.Errorf("is damaged: windows[%d] is not inside the range of the state, from %s to %s", i, s.From, s.To)
		case w.At != 0 && (w.After == "" || w.At < w.From || w.At >= w.To):
			return fmt.Errorf("is damaged: the position of windows[%d] is not inside the window", i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := s.Windows[i], s.Windows[j]
		return cmp.Or(cmp.Compare(a.Clock, b.Clock), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	last := 0 // the window that ends last among those of the same clock
	for n, i := range order {
		w := s.Windows[i]
		switch before := s.Windows[last]; {
		case n == 0 || before.Clock != w.Clock:
			last = i
		case w.From < before.To && w.From < w.To && before.From < before.To:
			return fmt.Errorf("is damaged: windows[%d] and windows[%d] overlap", last, i)
		case w.To > before.To:
			last = i
		}
	}
	return nil
}
