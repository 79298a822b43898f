package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
)

// Version is the version of the states that this build writes. It also reads version 1, which has no changes and no owner, so
// that an incremental read resumes from it by sweeping the events since the end of its range, and version 2, which remembers
// the events that were applied one by one.
const Version = 3

// State is how far a stream was read. It is complete if no window is left.
type State struct {
	Version    int          `json:"version"`
	Mode       string       `json:"mode"`       // "live" or "test": whose data it is about
	Generation int64        `json:"generation"` // when the stream was last begun from the beginning, in Unix milliseconds
	From       clock.Second `json:"from"`       // the range of creation times that this generation covers, half-open
	To         clock.Second `json:"to"`
	Pass       PassID       `json:"pass"`
	Windows    []Window     `json:"windows"` // what is left to read
	// Relisting: the lists are read a second time, or are to be, since the first reading was interrupted. A third is not made.
	Relisting bool `json:"relisting,omitempty"`
	// Pending is the creation of the oldest object that can still change without an event; zero if there is none.
	Pending  clock.Second `json:"pending,omitzero"`
	Changes  *Changes     `json:"changes,omitempty"` // of incremental reads of a stream whose changes events announce
	SetAside []SetAside   `json:"aside,omitempty"`   // what the stream goes on without
	Owner    Owner        `json:"owner,omitzero"`
}

// Owner says whose data a state is about, as far as that is known.
type Owner struct {
	Account string `json:"account,omitempty"` // that is read, by its id; empty if the key may not say
	Reads   string `json:"reads,omitempty"`   // the connected account as configured, or "own"; empty in older states
	Key     string `json:"key,omitempty"`     // a hash of the key that last read it: with another key, the account is asked for
}

// PassID says which pass wrote a state, and when. The streams of one endpoint are read in one pass. States of one pass
// differ at most in Sequence, and the one with the lowest leaves the most to read; so streams whose states were stored
// at different moments of a pass, or of one pass and of the one that resumed from it, still go on together, from there.
type PassID struct {
	ID       string     `json:"id"`              // random, of one Read
	Sequence int64      `json:"sequence"`        // the number of pages covered in that Read
	Streams  int        `json:"streams"`         // how many streams shared the pass
	Since    *PassPoint `json:"since,omitempty"` // what it resumes from; nil if from the beginning, or from the pass of other streams
}

// PassPoint is a moment of a pass.
type PassPoint struct {
	ID       string `json:"id"`
	Sequence int64  `json:"sequence"`
}

// Before reports whether whatever a state of p covers, one of later covers too. Two Reads that resume from one state cover
// different pages next, so their states are not comparable.
func (p PassID) Before(later PassID) bool {
	return p.ID == later.ID && p.Sequence <= later.Sequence || p.ResumedBy(later)
}

// ResumedBy reports whether later belongs to a Read that resumed from a state that covers what p covers.
func (p PassID) ResumedBy(later PassID) bool {
	return later.Since != nil && later.Since.ID == p.ID && p.Sequence <= later.Since.Sequence
}

// Parse reads a state that this connector wrote for a key of the given mode. The error says what is wrong with it.
func Parse(raw json.RawMessage, mode string, now clock.Second) (State, error) {
	var version struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(raw, &version); err != nil {
		return State{}, fmt.Errorf("is not a state of this connector: %w", err)
	}
	if version.Version < 1 || version.Version > Version {
		return State{}, fmt.Errorf("has version %d, and this connector reads versions 1 to %d: use the release that wrote it, or a newer one", version.Version, Version)
	}
	var s State
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return State{}, fmt.Errorf("is damaged: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return State{}, fmt.Errorf("is damaged: something follows it")
	}
	s.Version = Version
	return s, s.validate(mode, now)
}

// mostGeneration is the highest generation that JSON numbers hold exactly.
const mostGeneration = 1 << 53

// clockSkew is how far the clocks of the machines that take turns in reading a stream may differ.
const clockSkew = clock.Second(10 * time.Minute / time.Second)

// Watermark returns the moment up to which a state covers changes; zero if some of a list is left to read.
func (s State) Watermark() time.Time {
	switch {
	case len(s.Windows) > 0:
		return time.Time{}
	case s.Changes != nil:
		return s.Changes.Until().Time()
	case s.To > 0:
		return s.To.Time()
	}
	return time.Time{}
}

func (s State) validate(mode string, now clock.Second) error {
	switch {
	case s.Mode != mode:
		return fmt.Errorf("is about %q data, and the key reads %q data", s.Mode, mode)
	case s.Generation < FirstGeneration || s.Generation > mostGeneration:
		return fmt.Errorf("is damaged: generation %d", s.Generation)
	case s.From > s.To:
		return fmt.Errorf("is damaged: its range ends before it begins")
	case s.To > now+clockSkew:
		return fmt.Errorf("is from the future: it covers everything until %s. Look at the clock of this machine", s.To)
	}
	if c := s.Changes; c != nil && max(c.Until(), c.Reread) > now+clockSkew {
		return fmt.Errorf("is from the future: its changes are applied until %s. Look at the clock of this machine", max(c.Until(), c.Reread))
	}
	for i, w := range s.Windows {
		inside := s.From <= w.From && w.From <= w.To && w.To <= s.To
		placed := w.At == 0 || w.After != "" && w.From <= w.At && w.At < w.To
		if !inside || !placed {
			return fmt.Errorf("is damaged: windows[%d] is impossible", i)
		}
	}
	return validateSetAside(s.SetAside, now)
}

// FirstGeneration is the generation of streams whose rows are never to be removed because they did not come back.
const FirstGeneration = 1
