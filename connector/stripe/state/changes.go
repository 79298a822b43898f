package state

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/ledger"
)

// Changes is how far the changes of a stream are applied.
type Changes struct {
	// Events are those that were applied. Any other that is found later became visible late.
	Events *ledger.Ledger `json:"events"`
	// Reread is when records of the stream were last read from Stripe: they may be newer than the payload of an event
	// before it, so such objects are read again.
	Reread clock.Second `json:"reread,omitzero"`
}

// ChangesFrom returns the changes of a stream of which no event from a moment on was applied.
func ChangesFrom(from clock.Second) *Changes { return &Changes{Events: ledger.New(int64(from))} }

// From returns the second from which on events are still looked for.
func (c *Changes) From() clock.Second { return clock.Second(c.Events.From()) }

// Until returns the second up to which events were looked for at least once.
func (c *Changes) Until() clock.Second { return clock.Second(c.Events.Until()) }

// Clone returns changes that resume from c.
func (c *Changes) Clone() *Changes { return &Changes{Events: c.Events.Clone(), Reread: c.Reread} }

// UnmarshalJSON reads changes of any version of states.
func (c *Changes) UnmarshalJSON(text []byte) error {
	var d struct {
		Events *ledger.Ledger `json:"events"`
		Reread clock.Second   `json:"reread"`
		// Of version 2: of the events from From on and before Until, those in Seen are applied.
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
	*c = Changes{Events: d.Events, Reread: d.Reread}
	return nil
}
