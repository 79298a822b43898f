package stripetest

import (
	"net/http"
	"strings"
)

// Refusals, worded as in public reports.
const (
	// PermissionMissing is a 403 for a restricted key that names the permission (https://github.com/stripe/stripe-node/issues/2246).
	PermissionMissing FaultKind = iota + 300
	// PermissionUnavailable is a 403 for something no restricted key may do (https://github.com/dj-stripe/dj-stripe/pull/1131).
	PermissionUnavailable
	// AppPermissionMissing is a 403 for the token of an installed app (https://github.com/stripe/stripe-apps/issues/1027).
	AppPermissionMissing
	// SessionPermissionMissing is the same with the code for sessions (https://github.com/stripe/stripe-apps/issues/851).
	SessionPermissionMissing
	// OAuthNotSupported is a 403 for an OAuth token. The reports show its code but not its message.
	OAuthNotSupported
	// KeyInvalid is a 401 for a key that Stripe does not know.
	KeyInvalid
	// KeyExpired is a 401 for a key that has expired.
	KeyExpired
	// AccountInvalid is a 403 for an account that the key cannot access.
	AccountInvalid
	// NotAPlatform is a 403 for an account without Connect (https://github.com/stripe/stripe-apps/issues/505).
	NotAPlatform
	// NoPlatformControls is a 403 for parts of an account that the platform does not control.
	NoPlatformControls
	// NoConnectPermissions is a 403 for a restricted key with Stripe-Account (https://github.com/stripe/stripe-mirakl-connector/issues/33).
	NoConnectPermissions
	// IssuingNotEnabled is a 400 (https://github.com/airbytehq/airbyte/issues/26483).
	IssuingNotEnabled
	// TreasuryNotEnabled is a 404 (https://github.com/stripe/stripe-python/issues/1338).
	TreasuryNotEnabled
	// FeatureNotEnabled is a 400 for other products.
	FeatureNotEnabled
	// LiveKeysOnly is a 403 for something that test mode does not have.
	LiveKeysOnly
	// UnrecognizedURL is a 404 for an endpoint that Stripe does not have.
	UnrecognizedURL
	// NoSuchObject is a 404 for an object that does not exist.
	NoSuchObject
	// OtherMode is a 404 for an object of the other mode.
	OtherMode
	// ObjectRefused is a 400 for one object, without a code.
	ObjectRefused
	// NotLegacyMetered is a 400 for the usage of a subscription item on newer, meter-based billing.
	NotLegacyMetered
	// NoLineItems is a 400 for the line items of an old Checkout Session.
	NoLineItems
	// OldLineItemID is a 400 for a cursor that is an old invoice line's id (https://github.com/stripe/stripe-python/issues/661).
	OldLineItemID
	// CursorAgedOut is a 400 for a cursor that is an event past its retention. Real cursors also age out as time passes.
	CursorAgedOut
)

// refusal is an error of Stripe's. {key}, {account}, {permission}, {path}, {object} and {id} are filled in from the request.
type refusal struct {
	status               int
	code, param, message string
}

func refusals() map[FaultKind]refusal {
	const lacks = "The provided key '{key}' does not have the required permissions for this endpoint on account '{account}'. "
	const app = "This application does not have the required permissions for this endpoint on account '{account}'. " +
		"Having the 'read_only' scope would allow this request to continue."
	const unrecognized = "Unrecognized request URL (GET: {path}). Please see https://stripe.com/docs or we can help at https://support.stripe.com/."
	return map[FaultKind]refusal{
		PermissionMissing: {403, "", "", lacks + "Having the '{permission}' permission would allow this request to continue."},
		PermissionUnavailable: {403, "", "", lacks +
			"This is a restricted API key, but the required permissions are not available for use by restricted keys."},
		AppPermissionMissing:     {403, "more_permissions_required_for_application", "", app},
		SessionPermissionMissing: {403, "more_permissions_required", "", app},
		OAuthNotSupported:        {403, "oauth_not_supported", "", "This endpoint does not support requests that are authenticated by OAuth."},
		KeyInvalid:               {401, "", "", "Invalid API Key provided: {key}"},
		KeyExpired:               {401, "api_key_expired", "", "Expired API Key provided: {key}"},
		AccountInvalid: {403, "account_invalid", "", "The provided key '{key}' does not have access to account '{account}' " +
			"(or that account does not exist). Application access may have been revoked."},
		NotAPlatform: {403, "", "", "Only Stripe Connect platforms can work with other accounts. If you specified a client_id parameter, " +
			"make sure it's correct. If you need to setup a Stripe Connect platform, you can do so at " +
			"https://dashboard.stripe.com/account/applications/settings."},
		NoPlatformControls: {403, "", "", "You cannot perform this request as you do not have Platform Controls for the Stripe Dashboard " +
			"on the account {account}."},
		NoConnectPermissions: {403, "", "", "You passed a restricted API key with the Stripe-Account header, but the restricted API key " +
			"does not have any Connect permissions."},
		IssuingNotEnabled: {400, "", "", "Your account is not set up to use Issuing. " +
			"Please visit https://dashboard.stripe.com/issuing/overview to get started."},
		TreasuryNotEnabled: {404, "", "", unrecognized + " (Hint: Have you onboarded to Treasury? You can learn more about the steps needed at " +
			"https://stripe.com/docs/treasury/access)"},
		FeatureNotEnabled: {400, "", "", "This feature is not enabled for your account. " +
			"Please contact us via https://support.stripe.com/contact if you'd like to use it."},
		LiveKeysOnly:    {403, "", "", "Only live keys may access this method."},
		UnrecognizedURL: {404, "", "", unrecognized},
		NoSuchObject:    {404, "resource_missing", "id", "No such {object}: '{id}'"},
		OtherMode: {404, "resource_missing", "id", "No such {object}: '{id}'; a similar object exists in live mode, " +
			"but a test mode key was used to make this request."},
		ObjectRefused: {400, "", "", "This {object} cannot be shown. Please contact us via https://support.stripe.com/contact."},
		NotLegacyMetered: {400, "", "", "Cannot list usage record summaries for {id} because it is not on the legacy metered billing " +
			"system."},
		NoLineItems:   {400, "", "", "Could not find line items for this Checkout Session. Line items are kept for sessions of newer integrations only."},
		OldLineItemID: {400, "", "starting_after", "Old id values cannot be used to specify an invoice line item."},
		CursorAgedOut: {400, "resource_missing", "starting_after", "The event {id} is no longer available because it's aged out of our retention policy."},
	}
}

// refusal returns the error for the request's fault, or nil.
func (x *exchange) refusal() *apiError {
	r, ok := refusals()[x.fault.Kind]
	if !ok {
		return nil
	}
	return x.refuse(r)
}

// refuse fills in the placeholders of a refusal from the request.
func (x *exchange) refuse(r refusal) *apiError {
	permission, object, id := x.permission(), "object", x.request.URL.Query().Get("starting_after")
	if x.fault != nil && x.fault.Reason != "" {
		permission = x.fault.Reason
	}
	if x.end != nil && x.end.route != nil {
		object = x.stripe.model.objects(x.end.route)[0]
	}
	if len(x.ids) > 0 && id == "" {
		id = x.ids[len(x.ids)-1]
	}
	message := strings.NewReplacer("{key}", masked(keyOf(x.request)), "{account}", x.stripe.accountOf(x.request), "{permission}", permission,
		"{path}", x.request.URL.Path, "{object}", object, "{id}", id).Replace(r.message)
	err := invalid(r.param, r.code, message)
	err.status = r.status
	if err.status == http.StatusForbidden {
		err.docURL = ""
	}
	return err
}

// permission returns the permission that a restricted key needs for the request.
func (x *exchange) permission() string {
	if x.end == nil || x.end.route == nil {
		return "rak_accounts_kyc_basic_read"
	}
	return permissionName(x.end.route.permission)
}

func permissionName(permission string) string { return "rak_" + permission + "_read" }
