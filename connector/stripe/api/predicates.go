package api

import (
	"errors"
	"net/http"
	"strings"

	stripe "github.com/stripe/stripe-go/v76"

	"github.com/stripe-connector/stripe-connector/connector"
)

// IsNotFound reports whether err says that the requested object, or the parent of the requested list, doesn't exist, or
// that the parent can't have such a list. See https://docs.stripe.com/error-codes#resource-missing.
func IsNotFound(err error) bool {
	f, ok := errors.AsType[*fault](err)
	return ok && (f.isMissing() && !f.isCursorGone() ||
		strings.Contains(f.words, "not on the legacy metered billing system") || // for a subscription item
		strings.Contains(f.words, "Could not find line items for this Checkout Session"))
}

// IsCursorGone reports whether err says that the object named by starting_after doesn't exist, no longer matches the list's
// filter, or, for events, is no longer retained.
func IsCursorGone(err error) bool {
	f, ok := errors.AsType[*fault](err)
	return ok && f.isCursorGone()
}

// IsGone reports whether err says that an object requested by id doesn't exist. It may also have been created so recently
// that it isn't visible yet.
func IsGone(err error) bool {
	f, ok := errors.AsType[*fault](err)
	return ok && !f.call.list && f.HTTPStatus == http.StatusNotFound && (f.isMissing() || f.isAgedOut())
}

// IsRefused reports whether err says that Stripe refuses to return an object requested by id, although the object may
// exist. The refusal concerns this object and perhaps others of its type.
func IsRefused(err error) bool {
	f, ok := errors.AsType[*fault](err)
	return ok && !f.call.list && f.refused && f.Class != connector.AuthError && !IsGone(err)
}

// IsBroken reports whether err says that Stripe failed to serve the request in every attempt: it answered with a server
// error, the response was damaged or truncated, or there was none in time. A smaller page, or one without expansions, may
// succeed. If [IsUnreachable] is true as well, the connection or all of Stripe may be at fault, so the failure proves
// nothing about a single object.
func IsBroken(err error) bool {
	f, ok := errors.AsType[*fault](err)
	return ok && f.broken
}

// IsUnreachable reports whether err says that there was no response from Stripe itself, or that all of Stripe is
// unavailable. Then it makes no sense to request something else instead.
func IsUnreachable(err error) bool {
	f, ok := errors.AsType[*fault](err)
	return ok && f.unreachable
}

// IsExpansionRefused reports whether err may concern only the expansions, so that the request may succeed without them.
// [MissingPermissions] returns the permission that was missing, if Stripe named it.
func IsExpansionRefused(err error) bool {
	f, ok := errors.AsType[*fault](err)
	return ok && f.refused && f.call.expands() && (f.Class == connector.PermissionError ||
		strings.HasPrefix(f.param, "expand") || strings.Contains(f.words, "cannot be expanded"))
}

// MissingPermissions returns the permissions that the key lacks according to Stripe, such as "rak_charge_read", or nil if
// Stripe named none.
func MissingPermissions(err error) []string {
	f, ok := errors.AsType[*fault](err)
	if !ok || f.Class != connector.PermissionError {
		return nil
	}
	return permissionsIn(f.words)
}

// isMissing reports whether Stripe doesn't know the object named by a parameter or by the path.
func (f *fault) isMissing() bool {
	return f.Class == connector.SourceData &&
		(f.SourceCode == string(stripe.ErrorCodeResourceMissing) || strings.HasPrefix(strings.ToLower(f.words), noSuch))
}

// isAgedOut reports whether an event is no longer retained (https://docs.stripe.com/api/events).
func (f *fault) isAgedOut() bool {
	return strings.Contains(f.words, "aged out of our retention policy")
}

// isCursorGone reports whether the page can't start after the object of the cursor. Most such errors name the parameter;
// others name the object's id, or neither.
func (f *fault) isCursorGone() bool {
	if !f.refused || !f.call.list {
		return false
	}
	if f.param == startingAfter {
		return f.isMissing() || f.isAgedOut()
	}
	cursor := f.call.cursor()
	return cursor != "" && (f.isAgedOut() ||
		f.isMissing() && strings.Contains(f.words, cursor) ||
		strings.Contains(f.words, "Old id values cannot be used") || // for invoice line items
		f.isMissing() && strings.Contains(f.words, "No such invoice item")) // a deleted line
}
