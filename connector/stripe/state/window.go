package state

import "github.com/stripe-connector/stripe-connector/connector/stripe/clock"

// Window is a half-open range of creation times, read from its newest end down to the object After.
type Window struct {
	From  clock.Second `json:"from"`
	To    clock.Second `json:"to"`
	After string       `json:"after,omitempty"` // the last object that was read; empty if none was
	At    clock.Second `json:"at,omitzero"`     // when that was created
}

// Remaining returns the number of seconds that are left to read.
func (w Window) Remaining() int64 {
	if w.At != 0 {
		return int64(w.At - w.From)
	}
	return int64(w.To - w.From)
}

// WithoutCursor returns what is left of a window whose last object was deleted. It resumes with the second in which that was
// created, so some objects of that second come twice.
func (w Window) WithoutCursor() Window {
	if w.At != 0 {
		return Window{From: w.From, To: w.At + 1}
	}
	return Window{From: w.From, To: w.To}
}
