package state

import (
	"errors"
	"fmt"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
)

// Item identifies something that Stripe couldn't return, or whose record couldn't be carried. Its fields depend on what it
// is:
//
//	an object of the stream                          ID
//	a child object of the stream                     ID, Parent
//	the children of an object                        ID, Of
//	the part of a list that refers to an object      ID, Via
//	the objects created in certain seconds           From, To
type Item struct {
	ID     string       `json:"id,omitempty"`
	Parent string       `json:"parent,omitempty"` // id of the object's parent
	Of     string       `json:"of,omitempty"`     // the stream of the object, an ancestor of this stream
	Via    string       `json:"via,omitempty"`    // the list parameter that takes the id
	From   clock.Second `json:"from,omitzero"`    // half-open
	To     clock.Second `json:"to,omitzero"`
}

// IsWindow reports whether t is a range of creation times.
func (t Item) IsWindow() bool { return t.ID == "" }

// Fits reports whether the names in t are short enough for a state.
func (t Item) Fits() bool {
	return len(t.ID)+len(t.Parent) <= 2*maxID && len(t.Of)+len(t.Via) <= maxCause
}

// SetAside is an Item that a stream continues without. It is missing or stale at the receiver until a later Read can read
// it.
type SetAside struct {
	Item
	Since clock.Second `json:"since"`
	Tries int64        `json:"tries"` // number of attempts, including the first
	Next  clock.Second `json:"next"`  // when the next attempt is due
	Cause Cause        `json:"cause"` // the failure of the last attempt
}

// Cause is the part of a failure that a state keeps.
type Cause struct {
	Class     connector.Class `json:"class"`
	Message   string          `json:"message"`
	Status    int             `json:"status,omitempty"`
	Code      string          `json:"code,omitempty"`
	RequestID string          `json:"request,omitempty"`
}

// MaxSetAside is the most items that a stream may set aside.
const MaxSetAside = 100

// Limits on the size of an item's names and of its cause, in bytes, so that states stay small.
const (
	maxID    = 8 << 10
	maxCause = 500
)

// CauseOf returns the part of f that a state keeps.
func CauseOf(f *connector.Failure) Cause {
	message := f.Message
	if len(message) > maxCause {
		message = strings.ToValidUTF8(message[:maxCause-len("…")], "") + "…"
	}
	return Cause{Class: f.Class, Message: message, Status: f.HTTPStatus, Code: f.SourceCode, RequestID: f.RequestID}
}

// Failure returns the failure that c was made from, with the fields that c kept.
func (c Cause) Failure() *connector.Failure {
	return &connector.Failure{Class: c.Class, Message: c.Message, HTTPStatus: c.Status, SourceCode: c.Code, RequestID: c.RequestID}
}

func validateSetAside(all []SetAside, now clock.Second) error {
	if len(all) > MaxSetAside {
		return fmt.Errorf("is damaged: it sets aside %d items, more than the limit of %d", len(all), MaxSetAside)
	}
	known := map[Item]bool{}
	for i, a := range all {
		err := a.validate(now)
		if err == nil && known[a.Item] {
			err = errors.New("is a duplicate")
		}
		if err != nil {
			return fmt.Errorf("is damaged: aside[%d] %w", i, err)
		}
		known[a.Item] = true
	}
	return nil
}

func (a SetAside) validate(now clock.Second) error {
	named := 0
	for _, name := range []string{a.Parent, a.Of, a.Via} {
		if name != "" {
			named++
		}
	}
	switch {
	case a.IsWindow() && (named > 0 || a.From >= a.To):
		return errors.New("names neither an object nor a time range")
	case !a.IsWindow() && (named > 1 || a.From != 0 || a.To != 0):
		return errors.New("names more than one item")
	case !a.Fits():
		return errors.New("has a name that is too long")
	case a.Tries < 1 || a.Since > now+clockSkew || a.Next < a.Since:
		return errors.New("has an invalid number or time of attempts")
	case a.Cause.Class < connector.ConfigError || a.Cause.Class > connector.System || len(a.Cause.Message) > maxCause:
		return errors.New("has an invalid cause")
	}
	return nil
}
