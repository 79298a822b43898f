package stripe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// stateVersion is the version of the states that this build writes. It reads those of version 1 too, which knew no
// changes and no owner: an incremental read goes on from them by sweeping from the end of their range.
const stateVersion = 2

// state is how far a stream was read. It is complete if no window is left.
type state struct {
	Version    int      `json:"version"`
	Mode       string   `json:"mode"`       // "live" or "test": whose data it is about
	Generation int64    `json:"generation"` // when the stream was last read anew from the beginning, as Unix milliseconds
	From       second   `json:"from"`       // the range of creation times that this generation covers, half-open
	To         second   `json:"to"`
	Pass       passID   `json:"pass"`
	Windows    []window `json:"windows"` // what is left to read
	// Pending is the creation of the oldest object that can still change without an event; zero if there is none.
	Pending second   `json:"pending,omitzero"`
	Changes *changes `json:"changes,omitempty"` // of incremental reads of a stream that events tell about
	Owner   owner    `json:"owner,omitzero"`
}

// changes is how far the changes of a stream are applied. Of the events from From on and before Until, those in Seen are;
// any other became visible late. Events before From are no longer looked for.
type changes struct {
	From  second   `json:"from"`
	Until second   `json:"until"`
	Seen  []string `json:"seen,omitempty"` // hashes of ids
	// Reread is when records of the stream were last read from Stripe: they may be newer than the payload of an event
	// before it, so such objects are read again.
	Reread second `json:"reread,omitzero"`
}

// owner is whose data a state is about, as far as it is known.
type owner struct {
	Account string `json:"account,omitempty"` // the key's own
	Key     string `json:"key,omitempty"`     // a hash of the key that last read it: with another, the account is asked for
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

// String gives s as RFC 3339.
func (s second) String() string { return s.time().Format(time.RFC3339) }

func (s second) time() time.Time { return time.Unix(int64(s), 0).UTC() }

// MarshalJSON writes s as RFC 3339.
func (s second) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

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
func parseState(raw json.RawMessage, mode string, now second) (state, error) {
	var version struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(raw, &version); err != nil {
		return state{}, fmt.Errorf("is not a state of this connector: %w", err)
	}
	if version.Version < 1 || version.Version > stateVersion {
		return state{}, fmt.Errorf("has version %d, and this connector reads versions 1 to %d: use the release that wrote it, or a newer one", version.Version, stateVersion)
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
	s.Version = stateVersion
	return s, s.validate(mode, now)
}

// mostGeneration is the highest generation that JSON numbers hold exactly.
const mostGeneration = 1 << 53

// clockSkew is how far the clocks of the machines that take turns in reading a stream may differ.
const clockSkew = second(10 * time.Minute / time.Second)

// watermark gives the moment up to which a state covers changes; zero if some of a list is left to read.
func (s state) watermark() time.Time {
	switch {
	case len(s.Windows) > 0:
		return time.Time{}
	case s.Changes != nil:
		return s.Changes.Until.time()
	case s.To > 0:
		return s.To.time()
	}
	return time.Time{}
}

func (s state) validate(mode string, now second) error {
	switch {
	case s.Mode != mode:
		return fmt.Errorf("is about %q data, and the key reads %q data", s.Mode, mode)
	case s.Generation < firstGeneration || s.Generation > mostGeneration:
		return fmt.Errorf("is damaged: generation %d", s.Generation)
	case s.From > s.To:
		return fmt.Errorf("is damaged: its range ends before it begins")
	case s.To > now+clockSkew:
		return fmt.Errorf("is from the future: it covers everything until %s. Look at the clock of this machine", s.To)
	}
	if c := s.Changes; c != nil {
		switch {
		case c.From > c.Until:
			return fmt.Errorf("is damaged: its changes end before they begin")
		case c.Until > now+clockSkew || c.Reread > now+clockSkew:
			return fmt.Errorf("is from the future: its changes are applied until %s. Look at the clock of this machine", max(c.Until, c.Reread))
		case len(c.Seen) > mostSeen:
			return fmt.Errorf("is damaged: it remembers %d events", len(c.Seen))
		}
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
