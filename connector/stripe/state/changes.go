package state

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/ledger"
)

// Changes says how far the changes of a stream have been applied.
type Changes struct {
	// Events records the events that were applied. Any other event in its range became visible late.
	Events *ledger.Ledger `json:"events"`
	// Reread says which records of the stream may be newer than the payloads of events. The objects of such events are
	// re-read.
	Reread Reread `json:"reread,omitzero"`
	// DeletionsUntil is the time before which events matter only if they announce a deletion, because the lists are read after
	// it; zero if there is no such time.
	DeletionsUntil clock.Second `json:"deletions_until,omitzero"`
}

// ChangesFrom returns Changes for a stream to which no event at or after from has been applied.
func ChangesFrom(from clock.Second) *Changes { return &Changes{Events: ledger.New(int64(from))} }

// From returns the second from which events are still looked for.
func (c *Changes) From() clock.Second { return clock.Second(c.Events.From()) }

// Until returns the second up to which events have been looked for at least once.
func (c *Changes) Until() clock.Second { return clock.Second(c.Events.Until()) }

// Clone returns a copy of c.
func (c *Changes) Clone() *Changes {
	return &Changes{Events: c.Events.Clone(), Reread: c.Reread.clone(), DeletionsUntil: c.DeletionsUntil}
}

// UnmarshalJSON parses changes of any state version.
func (c *Changes) UnmarshalJSON(text []byte) error {
	var d struct {
		Events *ledger.Ledger `json:"events"`
		Reread Reread         `json:"reread"`

		DeletionsUntil clock.Second `json:"deletions_until"`
		// Version 2 listed the applied events between From and Until in Seen.
		From  *clock.Second `json:"from"`
		Until *clock.Second `json:"until"`
		Seen  []string      `json:"seen"`
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return fmt.Errorf("changes: %w", err)
	}
	if d.Events == nil && d.From != nil && d.Until != nil {
		migrated, err := ledger.Migrate(int64(*d.From), int64(*d.Until), d.Seen)
		if err != nil {
			return fmt.Errorf("changes: %w", err)
		}
		d.Events, d.From, d.Until, d.Seen = migrated, nil, nil, nil
	}
	if d.Events == nil || d.From != nil || d.Until != nil || d.Seen != nil {
		return fmt.Errorf("changes: need events")
	}
	*c = Changes{Events: d.Events, Reread: d.Reread, DeletionsUntil: d.DeletionsUntil}
	return nil
}
