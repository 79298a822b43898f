package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
)

// Version is the version of the states that this build writes. Earlier versions can still be read: version 1 has neither
// changes nor an owner, so an incremental Read sweeps the events since the end of its range; version 2 lists the applied
// events individually; version 3 has no expanded fields; version 4 has no API version.
const Version = 5

// firstAPIVersion is the version of Stripe's API in which the rows of states up to version 4 were read.
const firstAPIVersion = "2023-10-16"

// maxAPIVersion is the maximum length of the name of a version of Stripe's API.
const maxAPIVersion = 64

// State says how far a stream was read. Its lists are complete if Windows is empty.
type State struct {
	Version    int          `json:"version"`
	Mode       string       `json:"mode"`       // "live" or "test", the mode of the key
	Generation int64        `json:"generation"` // when reading from the beginning last started, in Unix milliseconds
	From       clock.Second `json:"from"`       // the half-open range of creation times that this generation covers
	To         clock.Second `json:"to"`
	Pass       PassID       `json:"pass"`
	Windows    []Window     `json:"windows"` // the parts left to read
	// Relisting is set if the lists are being read a second time, or must be, because an earlier Read was interrupted. They
	// are never read a third time.
	Relisting bool `json:"relisting,omitempty"`
	// Pending is the creation time of the oldest object that can still change without an event; zero if there is none.
	Pending  clock.Second `json:"pending,omitzero"`
	Changes  *Changes     `json:"changes,omitempty"` // for incremental Reads of a stream whose changes are announced by events
	SetAside []SetAside   `json:"aside,omitempty"`   // items that the stream continues without
	Owner    Owner        `json:"owner,omitzero"`
	// APIVersion is the version of Stripe's API in which the rows were read.
	APIVersion string `json:"api_version"`
	// Expanded lists what Stripe was asked to expand in the rows, sorted.
	Expanded []string `json:"expanded,omitempty"`
}

// Owner says whose data a state describes, as far as that is known.
type Owner struct {
	Account string `json:"account,omitempty"` // account id; empty if the key can't read its account
	Reads   string `json:"reads,omitempty"`   // the connected account from the configuration, or "own"; empty in older states
	Key     string `json:"key,omitempty"`     // a hash of the key that last read the stream; a Read with a different key verifies the account
}

// PassID identifies the pass that wrote a state, and the moment in it.
//
// The streams of one endpoint are read in one pass. Their states differ only in Sequence, and the state with the lowest
// Sequence has the most left to read. So streams whose states were stored at different moments of one pass, or partly
// during a later pass that resumed from it, can continue together from the earliest of these states.
type PassID struct {
	ID       string     `json:"id"`              // random, unique to a Read
	Sequence int64      `json:"sequence"`        // number of pages covered in that Read
	Streams  int        `json:"streams"`         // number of streams that share the pass
	Since    *PassPoint `json:"since,omitempty"` // what the pass resumed from; nil if it started from the beginning or from another set of streams
}

// PassPoint is a moment in a pass.
type PassPoint struct {
	ID       string `json:"id"`
	Sequence int64  `json:"sequence"`
}

// Before reports whether a state of later covers everything that a state of p covers. Two Reads that resumed from the same
// state cover different pages, so their states are not comparable.
func (p PassID) Before(later PassID) bool {
	return p.ID == later.ID && p.Sequence <= later.Sequence || p.ResumedBy(later)
}

// ResumedBy reports whether later belongs to a Read that resumed from a state that covers everything that p covers.
func (p PassID) ResumedBy(later PassID) bool {
	return later.Since != nil && later.Since.ID == p.ID && p.Sequence <= later.Since.Sequence
}

// NewerError is the error for a state that a newer release wrote.
type NewerError struct{ Version int }

func (e NewerError) Error() string {
	return fmt.Sprintf("has version %d, and this release reads versions 1 to %d", e.Version, Version)
}

// Parse parses a state that this connector wrote for a key of the given mode. The error describes what is wrong with it, and is
// a [NewerError] if a newer release can read it.
func Parse(raw json.RawMessage, mode string, now clock.Second) (State, error) {
	var version struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(raw, &version); err != nil {
		return State{}, fmt.Errorf("is not a state of this connector: %w", err)
	}
	switch {
	case version.Version > Version:
		return State{}, NewerError{version.Version}
	case version.Version < 1:
		return State{}, fmt.Errorf("is not a state of this connector: it has version %d", version.Version)
	}
	var s State
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return State{}, fmt.Errorf("is damaged: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return State{}, fmt.Errorf("is damaged: unexpected data after the JSON object")
	}
	s.Version = Version
	if s.APIVersion == "" {
		s.APIVersion = firstAPIVersion
	}
	return s, s.validate(mode, now)
}

// maxGeneration is the highest generation that a JSON number represents exactly.
const maxGeneration = 1 << 53

// clockSkew is the largest allowed difference between the clocks of machines that read the same stream.
const clockSkew = clock.Second(10 * time.Minute / time.Second)

// Watermark returns the time up to which the state covers changes, or zero if part of a list is left to read.
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
		return fmt.Errorf("is for %q data, but the key reads %q data", s.Mode, mode)
	case s.Generation < FirstGeneration || s.Generation > maxGeneration:
		return fmt.Errorf("is damaged: invalid generation %d", s.Generation)
	case len(s.APIVersion) > maxAPIVersion:
		return fmt.Errorf("is damaged: the name of its API version has %d characters", len(s.APIVersion))
	case s.From > s.To:
		return fmt.Errorf("is damaged: its range ends before it starts")
	case s.To > now+clockSkew:
		return fmt.Errorf("is from the future: it covers everything until %s. Check the clock of this machine", s.To)
	}
	if c := s.Changes; c != nil && max(c.Until(), c.Reread.Until()) > now+clockSkew {
		return fmt.Errorf("is from the future: its changes are applied until %s. Check the clock of this machine", max(c.Until(), c.Reread.Until()))
	}
	if err := s.validateWindows(); err != nil {
		return err
	}
	return validateSetAside(s.SetAside, now)
}

// FirstGeneration is the generation of streams whose old rows must never be removed, even if they aren't sent again.
const FirstGeneration = 1
