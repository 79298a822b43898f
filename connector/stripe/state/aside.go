package state

import (
	"errors"
	"fmt"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
)

// Item is something that Stripe could not show, or whose record could not be carried. It is one of
//
//	an object of the stream                    ID
//	an object of the stream, below a parent    ID, Parent
//	what is below an object                    ID, Of
//	the part of the list that is about another ID, Via
//	what was created in some seconds           From, To
type Item struct {
	ID     string       `json:"id,omitempty"`
	Parent string       `json:"parent,omitempty"` // the id of the object's parent
	Of     string       `json:"of,omitempty"`     // the stream of the object, which lies above this one
	Via    string       `json:"via,omitempty"`    // the list's parameter that takes the id
	From   clock.Second `json:"from,omitzero"`    // half-open
	To     clock.Second `json:"to,omitzero"`
}

// IsWindow reports whether t is a range of creation times.
func (t Item) IsWindow() bool { return t.ID == "" }

// Fits reports whether a state has room for the names of t.
func (t Item) Fits() bool {
	return len(t.ID)+len(t.Parent) <= 2*maxID && len(t.Of)+len(t.Via) <= maxCause
}

// SetAside is a Thing that a stream goes on without. It is missing or stale at the receiver, and read again in later Reads.
type SetAside struct {
	Item
	Since clock.Second `json:"since"`
	Tries int64        `json:"tries"` // how often it was tried, the first time included
	Next  clock.Second `json:"next"`  // when it is due to be tried again
	Cause Cause        `json:"cause"` // why, the last time it was tried
}

// Cause is what a state remembers of a failure.
type Cause struct {
	Class     connector.Class `json:"class"`
	Message   string          `json:"message"`
	Status    int             `json:"status,omitempty"`
	Code      string          `json:"code,omitempty"`
	RequestID string          `json:"request,omitempty"`
}

// MaxSetAside is how many things a stream may go on without.
const MaxSetAside = 100

// What a state remembers of a thing and its cause is bounded, so that states stay small.
const (
	maxID    = 8 << 10
	maxCause = 500
)

// CauseOf returns what is remembered of a failure.
func CauseOf(f *connector.Failure) Cause {
	message := f.Message
	if len(message) > maxCause {
		message = strings.ToValidUTF8(message[:maxCause-len("…")], "") + "…"
	}
	return Cause{Class: f.Class, Message: message, Status: f.HTTPStatus, Code: f.SourceCode, RequestID: f.RequestID}
}

// Failure returns the failure, as far as it is remembered.
func (c Cause) Failure() *connector.Failure {
	return &connector.Failure{Class: c.Class, Message: c.Message, HTTPStatus: c.Status, SourceCode: c.Code, RequestID: c.RequestID}
}

func validateSetAside(all []SetAside, now clock.Second) error {
	if len(all) > MaxSetAside {
		return fmt.Errorf("is damaged: it sets %d things aside", len(all))
	}
	known := map[Item]bool{}
	for i, a := range all {
		err := a.validate(now)
		if err == nil && known[a.Item] {
			err = errors.New("comes a second time")
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
		return errors.New("names neither an object nor a range of time")
	case !a.IsWindow() && (named > 1 || a.From != 0 || a.To != 0):
		return errors.New("names more than one thing")
	case !a.Fits():
		return errors.New("has a name that is too long")
	case a.Tries < 1 || a.Since > now+clockSkew || a.Next < a.Since:
		return errors.New("was never tried, or at an impossible time")
	case a.Cause.Class < connector.ConfigError || a.Cause.Class > connector.System || len(a.Cause.Message) > maxCause:
		return errors.New("has no possible cause")
	}
	return nil
}
