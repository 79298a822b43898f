package api

import (
	"errors"
	"net/http"
	"strings"

	stripe "github.com/stripe/stripe-go/v76"

	"github.com/stripe-connector/stripe-connector/connector"
)

// IsNotFound reports whether err says that the parent whose list was asked for does not exist, or no longer, or cannot have
// such a list. See https://docs.stripe.com/error-codes#resource-missing.
func IsNotFound(err error) bool {
	f, ok := errors.AsType[*fault](err)
	return ok && (f.missing() && !f.cursorGone() ||
		strings.Contains(f.words, "not on the legacy metered billing system") || // of a subscription item
		strings.Contains(f.words, "Could not find line items for this Checkout Session"))
}

// IsCursorGone reports whether err says that the object named by starting_after does not exist, or no longer, or no
// longer matches the list's filter; or, for events, is too old to be kept.
func IsCursorGone(err error) bool {
	f, ok := errors.AsType[*fault](err)
	return ok && f.cursorGone()
}

// IsGone reports whether err says that the object that was to be read by its id does not exist, or no longer. It may
// not be visible yet either, if it was created a moment ago.
func IsGone(err error) bool {
	f, ok := errors.AsType[*fault](err)
	return ok && !f.call.list && f.HTTPStatus == http.StatusNotFound && (f.missing() || f.agedOut())
}

// IsRefused reports whether err says that Stripe refuses to show the object that was to be read by its id, although it
// may exist: that concerns this object, and perhaps those of its kind.
func IsRefused(err error) bool {
	f, ok := errors.AsType[*fault](err)
	return ok && !f.call.list && f.refused && f.Class != connector.AuthError && !IsGone(err)
}

// IsBroken reports whether err says that Stripe failed to serve what was asked for, in as many attempts as were made:
// with an error of its own, an answer that was damaged or cut short, or none in time. A smaller page may succeed, or one
// without what is expanded. If [IsUnreachable] reports true as well, the way to Stripe may be at fault, or all of Stripe:
// then it proves nothing against a single object.
func IsBroken(err error) bool {
	f, ok := errors.AsType[*fault](err)
	return ok && f.broken
}

// IsUnreachable reports whether err says that there was no answer of Stripe's own, or that all of Stripe is unavailable.
// It is of no use to ask for something else instead.
func IsUnreachable(err error) bool {
	f, ok := errors.AsType[*fault](err)
	return ok && f.unreachable
}

// IsExpansionRefused reports whether err may concern only what was to be expanded: the same request without expand may
// succeed. [MissingPermissions] says which permission was lacking, if Stripe says so.
func IsExpansionRefused(err error) bool {
	f, ok := errors.AsType[*fault](err)
	return ok && f.refused && f.call.expands() && (f.Class == connector.PermissionError ||
		strings.HasPrefix(f.param, "expand") || strings.Contains(f.words, "cannot be expanded"))
}

// MissingPermissions returns the permissions that Stripe says the key lacks, such as "rak_charge_read"; nil if it does
// not name any.
func MissingPermissions(err error) []string {
	f, ok := errors.AsType[*fault](err)
	if !ok || f.Class != connector.PermissionError {
		return nil
	}
	return permissionsIn(f.words)
}

// missing reports whether Stripe does not know the object that a parameter, or the path, names.
func (f *fault) missing() bool {
	return f.Class == connector.SourceData &&
		(f.SourceCode == string(stripe.ErrorCodeResourceMissing) || strings.HasPrefix(strings.ToLower(f.words), noSuch))
}

// agedOut reports whether an event is too old to be kept: https://docs.stripe.com/api/events.
func (f *fault) agedOut() bool { return strings.Contains(f.words, "aged out of our retention policy") }

// cursorGone reports whether the object that the page was to begin behind cannot serve for that. Most such refusals name
// the parameter; others its id, or neither.
func (f *fault) cursorGone() bool {
	if !f.refused || !f.call.list {
		return false
	}
	if f.param == startingAfter {
		return f.missing() || f.agedOut()
	}
	cursor := f.call.cursor()
	return cursor != "" && (f.agedOut() ||
		f.missing() && strings.Contains(f.words, cursor) ||
		strings.Contains(f.words, "Old id values cannot be used") || // of invoice line items
		f.missing() && strings.Contains(f.words, "No such invoice item")) // a line that was deleted
}
