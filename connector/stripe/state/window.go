package state

import "github.com/stripe-connector/stripe-connector/connector/stripe/clock"

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
