package stripe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// stateVersion is the version of the states that this build writes, and the only one that it reads.
const stateVersion = 1

// state is how far a stream was read. It is complete if no window is left.
type state struct {
	Version    int      `json:"version"`
	Mode       string   `json:"mode"`       // "live" or "test": whose data it is about
	Generation int64    `json:"generation"` // grows when the stream is read anew from the beginning
	From       second   `json:"from"`       // the range of creation times that this generation covers, half-open
	To         second   `json:"to"`
	Pass       passID   `json:"pass"`
	Windows    []window `json:"windows"` // what is left to read
}

// passID says which pass wrote a state, and when. The streams of one endpoint are read in one pass. States of one pass
// differ at most in Sequence, and the one with the lowest leaves the most to read; so streams whose states were stored
// at different moments of a pass, or of one and the one that went on from it, still go on together, from there.
type passID struct {
	ID       string     `json:"id"`              // random, of one Read
	Sequence int64      `json:"sequence"`        // the number of pages covered in that Read
	Streams  int        `json:"streams"`         // how many streams shared the pass
	Since    *passPoint `json:"since,omitempty"` // what it goes on from; nil if from the beginning, or from other streams' pass
}

// passPoint is a moment of a pass.
type passPoint struct {
	ID       string `json:"id"`
	Sequence int64  `json:"sequence"`
}

// before tells whether whatever a state of p covers, one of later covers too. Two Reads that go on from one state cover
// different pages next, so their states are not comparable.
func (p passID) before(later passID) bool {
	return p.ID == later.ID && p.Sequence <= later.Sequence || p.led(later)
}

// led tells whether later belongs to a Read that went on from a state that covers what p covers.
func (p passID) led(later passID) bool {
	return later.Since != nil && later.Since.ID == p.ID && p.Sequence <= later.Since.Sequence
}

// second is a Unix time in whole seconds. It is written as RFC 3339, for people.
type second int64

// MarshalJSON writes s as RFC 3339.
func (s second) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Unix(int64(s), 0).UTC().Format(time.RFC3339))
}

// UnmarshalJSON reads RFC 3339.
func (s *second) UnmarshalJSON(text []byte) error {
	var t time.Time
	if err := json.Unmarshal(text, &t); err != nil {
		return fmt.Errorf("%s is not a time such as 2024-01-31T00:00:00Z", text)
	}
	if year := t.UTC().Year(); year < 0 || year > 9999 { // what RFC 3339 cannot say in UTC could not be read again
		return fmt.Errorf("%s is not in the years 0 to 9999 of UTC", text)
	}
	*s = second(t.Unix())
	return nil
}

// parseState reads a state that this connector wrote for a key of the given mode. The error says what is wrong with it.
func parseState(raw json.RawMessage, mode string) (state, error) {
	var version struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(raw, &version); err != nil {
		return state{}, fmt.Errorf("is not a state of this connector: %w", err)
	}
	if version.Version != stateVersion {
		return state{}, fmt.Errorf("has version %d, and this connector reads version %d", version.Version, stateVersion)
	}
	var s state
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return state{}, fmt.Errorf("is damaged: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return state{}, fmt.Errorf("is damaged: something follows it")
	}
	return s, s.validate(mode)
}

func (s state) validate(mode string) error {
	switch {
	case s.Mode != mode:
		return fmt.Errorf("is about %q data, and the key reads %q data", s.Mode, mode)
	case s.Generation < 1:
		return fmt.Errorf("is damaged: generation %d", s.Generation)
	case s.From > s.To:
		return fmt.Errorf("is damaged: its range ends before it begins")
	}
	for i, w := range s.Windows {
		inside := s.From <= w.From && w.From <= w.To && w.To <= s.To
		placed := w.At == 0 || w.After != "" && w.From <= w.At && w.At < w.To
		if !inside || !placed {
			return fmt.Errorf("is damaged: windows[%d] is impossible", i)
		}
	}
	return nil
}
