package api

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	stripe "github.com/stripe/stripe-go/v76"

	"github.com/stripe-connector/stripe-connector/connector"
)

// rule says what a kind of refusal means. Zero conditions match everything.
type rule struct {
	status    int
	code      stripe.ErrorCode // or the type
	words     string           // part of Stripe's message, in lower case
	connected bool             // the request named a connected account
	class     connector.Class
	remedy    string // what is wrong and what to do about it
}

// dashboard is where users manage API keys.
const dashboard = "Stripe Dashboard > Developers > API keys"

const (
	replaceKey  = "replace api_key (" + dashboard + ")."
	orDeselect  = ", or deselect the stream."
	otherMode   = "The API key is not for the mode (live or test) of the requested objects: use the key that this pipeline started with."
	noPlatform  = "Only Connect platforms can read this: use the key of a platform" + orDeselect
	notEnabled  = "The account doesn't have this product or feature: activate it in the Stripe Dashboard" + orDeselect
	noAccess    = "The API key has no access to the account: check account, and check that it is still connected to the platform."
	notOffered  = "Stripe doesn't offer this to the account, or no longer does: deselect the stream, or contact Stripe support."
	noKeyRight  = "The API key can't read this: grant it the permission (" + dashboard + ")" + orDeselect
	tooFast     = "Stripe's rate limit was still exceeded after several retries: try again later, or reduce the number of clients of the account."
	unavailable = "Stripe could not respond: try again later."

	unknownObject = "Stripe no longer finds an object that it returned before."
	// noSuch is how Stripe's message about an unknown object starts.
	noSuch = "no such "
)

// rules lists Stripe's refusals; the first match decides. Documented criteria come first: codes
// (https://docs.stripe.com/error-codes), types, and statuses with a single meaning. Stripe sends most refusals without a
// code. They are recognized by words of their messages, as publicly reported.
var rules = []rule{
	{words: "a similar object exists in", class: connector.AuthError, remedy: otherMode},
	{code: stripe.ErrorCodeLivemodeMismatch, class: connector.AuthError, remedy: otherMode},
	{code: stripe.ErrorCodeAPIKeyExpired, class: connector.AuthError, remedy: "The API key has expired: " + replaceKey},
	{code: stripe.ErrorCodePlatformAPIKeyExpired, class: connector.AuthError, remedy: "The platform's API key has expired: " + replaceKey},
	{code: stripe.ErrorCodeSecretKeyRequired, class: connector.AuthError, remedy: "The API key is a publishable key, which can't read data: use a restricted or a secret key (" + dashboard + ")."},
	{code: stripe.ErrorCodeAccountInvalid, connected: true, class: connector.AuthError, remedy: noAccess},
	{code: stripe.ErrorCodeNoAccount, connected: true, class: connector.AuthError, remedy: noAccess},
	{code: stripe.ErrorCodeAccountInvalid, class: connector.PermissionError, remedy: noAccess},
	{code: stripe.ErrorCodePlatformAccountRequired, class: connector.PermissionError, remedy: noPlatform},
	{code: stripe.ErrorCodeNotAllowedOnStandardAccount, class: connector.PermissionError, remedy: noPlatform},
	{code: "more_permissions_required", class: connector.PermissionError, remedy: noKeyRight},
	{code: "more_permissions_required_for_application", class: connector.PermissionError, remedy: noKeyRight},
	{code: "oauth_not_supported", class: connector.PermissionError, remedy: "OAuth keys can't read this: use a restricted key of the account" + orDeselect},
	{code: stripe.ErrorCodeTestmodeChargesOnly, class: connector.PermissionError, remedy: "The account is not activated: activate it in the Stripe Dashboard, or use a test key."},
	{code: stripe.ErrorCodeCountryUnsupported, class: connector.PermissionError, remedy: notOffered},
	{code: stripe.ErrorCodeLockTimeout, class: connector.Transient, remedy: unavailable},
	{code: stripe.ErrorCodeRateLimit, class: connector.RateLimit, remedy: tooFast},
	{code: "rate_limit_error", class: connector.RateLimit, remedy: tooFast},
	{status: http.StatusTooManyRequests, class: connector.RateLimit, remedy: tooFast},
	{status: http.StatusRequestTimeout, class: connector.Transient, remedy: unavailable},
	{status: http.StatusConflict, class: connector.Transient, remedy: unavailable},
	{status: http.StatusFailedDependency, class: connector.Transient, remedy: unavailable},
	{code: stripe.ErrorCodeResourceMissing, class: connector.SourceData, remedy: unknownObject},
	{status: http.StatusNotFound, words: noSuch, class: connector.SourceData, remedy: unknownObject},

	// The key. Missing permissions come with status 403, and for some live keys with 401.
	{words: "does not allow requests from your ip address", class: connector.AuthError, remedy: "The API key only works from certain IP addresses: add the address of this service to the list (" + dashboard + ")."},
	{words: "the required permissions are not available for use by restricted keys", class: connector.PermissionError, remedy: "Restricted keys can't read this: use a secret key" + orDeselect},
	{words: "does not have any connect permissions", connected: true, class: connector.AuthError, remedy: "The restricted API key can't read connected accounts: grant it the Connect permissions, or use a key of the account itself."},
	{words: "does not have any connect permissions", class: connector.PermissionError, remedy: noKeyRight},
	{words: "does not have the required permissions", class: connector.PermissionError, remedy: noKeyRight},
	{words: "permission would allow this request", class: connector.PermissionError, remedy: noKeyRight},
	{words: "permissions on this key would allow this request", class: connector.PermissionError, remedy: noKeyRight},
	{words: "only live keys", class: connector.PermissionError, remedy: "Only live keys can read this: use a live key" + orDeselect},
	{words: "only available in testmode", class: connector.PermissionError, remedy: "Only test keys can read this: use a test key" + orDeselect},
	{words: "not in live mode", class: connector.PermissionError, remedy: "Only test keys can read this: use a test key" + orDeselect},

	// Connect.
	{words: "does not have access to account", connected: true, class: connector.AuthError, remedy: noAccess},
	{words: "application access may have been revoked", connected: true, class: connector.AuthError, remedy: noAccess},
	{words: "does not have access to account", class: connector.PermissionError, remedy: noAccess},
	{words: "only stripe connect platforms", class: connector.PermissionError, remedy: noPlatform},
	{words: "signed up for connect", class: connector.PermissionError, remedy: noPlatform},
	{words: "connected accounts of your platform's connected accounts", class: connector.PermissionError, remedy: "Stripe doesn't return the accounts below a connected account: deselect the stream, or read it with a key of that account."},
	{words: "do not have platform controls", class: connector.PermissionError, remedy: "The platform doesn't control this account, so it can't read this: deselect the stream."},

	// Products that the account doesn't have. These come with status 400, and for Treasury with 404.
	{words: "is not set up to use", class: connector.PermissionError, remedy: notEnabled},
	{words: "unrecognized request url", class: connector.PermissionError, remedy: notEnabled},
	{words: "have you onboarded", class: connector.PermissionError, remedy: notEnabled},
	{words: "not enabled", class: connector.PermissionError, remedy: notEnabled},
	{words: "is not authorized to", class: connector.PermissionError, remedy: notEnabled},
	{words: "to enable access", class: connector.PermissionError, remedy: notEnabled},
	{words: "deprecated", class: connector.PermissionError, remedy: notOffered},
	{words: "no longer supported", class: connector.PermissionError, remedy: notOffered},
	{words: "not available in your country", class: connector.PermissionError, remedy: notOffered},
	{words: "not available to your account", class: connector.PermissionError, remedy: notOffered},

	// Everything else.
	{status: http.StatusUnauthorized, class: connector.AuthError, remedy: "Stripe rejected the API key: check api_key (" + dashboard + ")."},
	{code: "authentication_error", class: connector.AuthError, remedy: "Stripe rejected the API key: check api_key (" + dashboard + ")."},
	{status: http.StatusForbidden, class: connector.PermissionError, remedy: noKeyRight},
	{class: connector.SourceData, remedy: "Stripe rejected this request. If the account should be able to read this, please report it with the request id."},
}

// ruleOf returns the rule for an error of Stripe. connected says whether the request named a connected account.
func ruleOf(status int, e *stripe.Error, connected bool) rule {
	if status >= http.StatusInternalServerError {
		return rule{class: connector.Transient, remedy: unavailable}
	}
	words := strings.ToLower(e.Msg)
	i := slices.IndexFunc(rules, func(r rule) bool {
		return (r.status == 0 || r.status == status) &&
			(r.code == "" || r.code == e.Code || string(r.code) == string(e.Type)) &&
			(!r.connected || connected) &&
			strings.Contains(words, r.words)
	})
	return rules[i] // the last rule matches everything
}

// permissionPattern matches the name of a missing permission: 'rak_charge_read', or 'charge_read' in recent messages.
var permissionPattern = regexp.MustCompile(`'((?:rak_)?[a-z0-9_]+_(?:read|write))'`)

// permissionsIn returns the missing permissions named in a message of Stripe.
func permissionsIn(words string) []string {
	var permissions []string
	for _, match := range permissionPattern.FindAllStringSubmatch(words, -1) {
		if !slices.Contains(permissions, match[1]) {
			permissions = append(permissions, match[1])
		}
	}
	return permissions
}
