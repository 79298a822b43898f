package api_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
)

// stripeError returns the body of an error response.
func stripeError(code, param, message string) string {
	e := map[string]string{"type": "invalid_request_error", "message": message}
	if code != "" {
		e["code"] = code
	}
	if param != "" {
		e["param"] = param
	}
	body, err := json.Marshal(map[string]any{"error": e})
	if err != nil {
		panic(err)
	}
	return string(body)
}

// refuse returns a Client whose requests all get this response. account is empty for the key's own account.
func refuse(account string, status int, body string) *api.Client {
	return api.New(api.Options{Key: connector.NewSecret(key), Account: account, Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
		return answer(req, status, nil, body), nil
	})})
}

// TestRefusals covers the publicly reported refusals of Stripe that can answer a GET request.
func TestRefusals(t *testing.T) {
	const (
		own       = ""
		connected = "acct_1"
	)
	tests := map[string]struct {
		account string
		status  int
		code    string
		message string
		class   connector.Class
		says    string // part of the remedy
	}{
		// https://docs.stripe.com/keys, https://docs.stripe.com/error-codes
		"invalid key":     {own, 401, "", "Invalid API Key provided: sk_test_****1234", connector.AuthError, "check api_key"},
		"no key":          {own, 401, "", "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').", connector.AuthError, "check api_key"},
		"expired key":     {own, 401, "api_key_expired", "Expired API Key provided: rk_test_***", connector.AuthError, "has expired"},
		"platform's key":  {own, 401, "platform_api_key_expired", "The platform's key has expired.", connector.AuthError, "has expired"},
		"publishable key": {own, 403, "secret_key_required", "This API call cannot be made with a publishable API key. Please use a secret API key.", connector.AuthError, "publishable"},
		"IP address":      {own, 403, "", "The API key provided does not allow requests from your IP address (1.2.3.4).", connector.AuthError, "IP address"},

		// Restricted keys.
		"permission":               {own, 403, "", "The provided key 'rk_test_*********qs8Kgd' does not have the required permissions for this endpoint on account 'acct_1PJBLEBBLEfV'. Having the 'rak_accounts_kyc_id_numbers_read' permission would allow this request to continue.", connector.PermissionError, "permission rak_accounts_kyc_id_numbers_read"},
		"permission, live":         {own, 401, "", "The provided key 'rk_live_*********qs8Kgd' does not have the required permissions for this endpoint on account 'acct_1'. Having the 'rak_charge_read' permission would allow this request to continue.", connector.PermissionError, "permission rak_charge_read"},
		"permission, of late":      {own, 403, "more_permissions_required", "Permission denied. The provided key 'rk_live_***j4va7j' does not have the required permissions for this endpoint on account 'acct_123'. Enabling \"Prices Read\" ('plan_read') permissions on this key would allow this request to continue.", connector.PermissionError, "permission plan_read"},
		"permission, without code": {own, 401, "", "Enabling Charges and Refunds Read ('charge_read') permissions on this key would allow this request to continue.", connector.PermissionError, "permission charge_read"},
		"not for restricted keys":  {own, 403, "", "The provided key 'rk_live_AB***123' does not have the required permissions for this endpoint on account 'acct_1'.  This is a restricted API key, but the required permissions are not available for use by restricted keys.", connector.PermissionError, "use a secret key"},
		"more permissions":         {own, 403, "more_permissions_required", "no", connector.PermissionError, "grant it the permission"},
		"OAuth":                    {own, 403, "oauth_not_supported", "no", connector.PermissionError, "restricted key"},
		"an application":           {connected, 403, "", "This application does not have the required permissions for this endpoint on account 'acct_abc123'. Having the 'read_only' scope would allow this request to continue.", connector.PermissionError, "grant it the permission"},
		"forbidden":                {own, 403, "", "no", connector.PermissionError, "grant it the permission"},

		// Products and modes.
		"Issuing":                {own, 400, "", "Your account is not set up to use Issuing. Please visit https://dashboard.stripe.com/issuing/overview to get started.", connector.PermissionError, "activate it"},
		"Identity":               {own, 400, "", "Your account is not set up to use Identity. Please have an account admin visit https://dashboard.stripe.com/identity to get started.", connector.PermissionError, "activate it"},
		"Treasury":               {own, 404, "", "Unrecognized request URL (GET: /v1/treasury/transactions). Please see https://stripe.com/docs or we can help at https://support.stripe.com/. (Hint: Have you onboarded to Treasury? You can learn more about the steps needed at https://stripe.com/docs/treasury/access)", connector.PermissionError, "activate it"},
		"Treasury, no hint":      {own, 404, "", "Unrecognized request URL (GET: /v1/treasury/financial_accounts). Please see https://stripe.com/docs or we can help at https://support.stripe.com/.", connector.PermissionError, "activate it"},
		"Treasury, 400":          {own, 400, "", "Unrecognized request URL (GET: /v1/treasury/financial_accounts). Please see https://stripe.com/docs or we can help at https://support.stripe.com/.", connector.PermissionError, "activate it"},
		"forwarding":             {own, 400, "", "Your account is not authorized to send Forwarding requests in livemode. To enable access, please contact us via https://support.stripe.com/contact.", connector.PermissionError, "activate it"},
		"Accounts v2":            {own, 400, "", "Accounts v2 is not enabled for your platform. If you're interested in using this API with your integration, please visit https://dashboard.stripe.com/acct_1/settings/connect/platform-setup.", connector.PermissionError, "activate it"},
		"not for test mode":      {own, 400, "", "This API surface is not enabled for testmode usage.", connector.PermissionError, "activate it"},
		"live keys":              {own, 400, "", "Only live keys can access this method.", connector.PermissionError, "use a live key"},
		"live keys may":          {own, 403, "", "Only live keys may access this method.", connector.PermissionError, "use a live key"},
		"test clocks":            {own, 400, "", "This endpoint is only available in testmode. Try using your test keys instead.", connector.PermissionError, "use a test key"},
		"not in live mode":       {own, 400, "", "This endpoint is not in live mode", connector.PermissionError, "use a test key"},
		"not activated":          {own, 403, "testmode_charges_only", "Your account has not been activated.", connector.PermissionError, "activate it"},
		"country":                {own, 400, "country_unsupported", "Not in your country.", connector.PermissionError, "deselect"},
		"deprecated":             {own, 400, "", "This API has been deprecated and is no longer supported.", connector.PermissionError, "deselect"},
		"the other mode":         {own, 404, "resource_missing", "No such customer: 'cus_1'; a similar object exists in live mode, but a test mode key was used to make this request.", connector.AuthError, "not for the mode"},
		"the other mode, a code": {own, 400, "livemode_mismatch", "no", connector.AuthError, "not for the mode"},

		// Connect.
		"no platform":                  {own, 403, "", "Only Stripe Connect platforms can work with other accounts. If you specified a client_id parameter, make sure it's correct. If you need to setup a Stripe Connect platform, you can do so at https://dashboard.stripe.com/account/applications/settings.", connector.PermissionError, "platform"},
		"no platform, a code":          {own, 400, "platform_account_required", "no", connector.PermissionError, "platform"},
		"not signed up":                {own, 400, "", "You can only create new accounts if you've signed up for Connect, which you can do at https://dashboard.stripe.com/connect.", connector.PermissionError, "platform"},
		"no controls":                  {own, 403, "", "You cannot perform this request as you do not have Platform Controls for the Stripe Dashboard on the account acct_1.", connector.PermissionError, "doesn't control"},
		"no Connect permissions":       {connected, 403, "", "You passed a restricted API key with the Stripe-Account header, but the restricted API key does not have any Connect permissions.", connector.AuthError, "Connect permissions"},
		"account out of reach":         {connected, 403, "account_invalid", "The provided key 'sk_test_***qPsl' does not have access to account 'acct_1' (or that account does not exist). Application access may have been revoked.", connector.AuthError, "no access to the account"},
		"account out of reach, words":  {connected, 403, "", "The provided key 'sk_test_***qPsl' does not have access to account 'acct_1' (or that account does not exist). Application access may have been revoked.", connector.AuthError, "no access to the account"},
		"another account out of reach": {own, 403, "account_invalid", "The provided key 'sk_test_***qPsl' does not have access to account 'acct_2' (or that account does not exist). Application access may have been revoked.", connector.PermissionError, "no access to the account"},
		"accounts below":               {connected, 403, "", "You cannot access the connected accounts of your platform's connected accounts.", connector.PermissionError, "below a connected account"},

		// Each rule by itself.
		"no account":                {connected, 403, "no_account", "no", connector.AuthError, "no access to the account"},
		"a standard account":        {own, 400, "not_allowed_on_standard_account", "no", connector.PermissionError, "platform"},
		"an application's":          {connected, 403, "more_permissions_required_for_application", "no", connector.PermissionError, "grant it the permission"},
		"no Connect permissions, 2": {own, 400, "", "The restricted API key does not have any Connect permissions.", connector.PermissionError, "grant it the permission"},
		"permission, only the hint": {own, 401, "", "Having the 'rak_charge_read' permission would allow this request to continue.", connector.PermissionError, "permission rak_charge_read"},
		"access revoked":            {connected, 401, "", "Application access may have been revoked.", connector.AuthError, "no access to the account"},
		"no access, words":          {own, 401, "", "The provided key 'sk_test_***qPsl' does not have access to account 'acct_2'.", connector.PermissionError, "no access to the account"},
		"Treasury, the hint":        {own, 400, "", "Have you onboarded to Treasury?", connector.PermissionError, "activate it"},
		"to enable access":          {own, 400, "", "To enable access, please contact us via https://support.stripe.com/contact.", connector.PermissionError, "activate it"},
		"no longer supported":       {own, 400, "", "This endpoint is no longer supported.", connector.PermissionError, "deselect"},
		"country, words":            {own, 400, "", "This feature is not available in your country.", connector.PermissionError, "deselect"},
		"account, words":            {own, 400, "", "This feature is not available to your account.", connector.PermissionError, "deselect"},
		"a type: the rate":          {own, 400, "rate_limit_error", "no", connector.RateLimit, "rate limit"},
		"a type: the key":           {own, 400, "authentication_error", "no", connector.AuthError, "check api_key"},

		// One object or list.
		"gone":              {own, 404, "resource_missing", "No such charge: 'ch_1'", connector.SourceData, "no longer finds"},
		"gone, no code":     {own, 404, "", "No such charge: 'ch_1'", connector.SourceData, "no longer finds"},
		"legacy billing":    {own, 400, "", "Cannot list usage record summaries for si_1 because it is not on the legacy metered billing system", connector.SourceData, "rejected this request"},
		"old sessions":      {own, 400, "", "Could not find line items for this Checkout Session. They may be missing for old testmode Checkout Sessions.", connector.SourceData, "rejected this request"},
		"aged out":          {own, 400, "", "The event evt_1 is no longer available because it's aged out of our retention policy.", connector.SourceData, "rejected this request"},
		"old line ids":      {own, 400, "", "Old id values cannot be used to specify an invoice line item.", connector.SourceData, "rejected this request"},
		"not expandable":    {own, 400, "", "This property cannot be expanded (customer). You may want to try expanding 'data.customer' instead.", connector.SourceData, "rejected this request"},
		"unknown parameter": {own, 400, "parameter_unknown", "Received unknown parameter: foo", connector.SourceData, "report"},
		"must provide":      {own, 400, "", "Must provide source or customer.", connector.SourceData, "report"},
		"payment required":  {own, 402, "", "no", connector.SourceData, "report"},
		"something new":     {own, 418, "never_seen_before", "Something new.", connector.SourceData, "Stripe says: Something new."},

		// Temporary problems.
		"rate":              {own, 429, "rate_limit", "Request rate limit exceeded.", connector.RateLimit, "rate limit"},
		"rate, old":         {own, 400, "rate_limit", "Too many requests hit the API too quickly.", connector.RateLimit, "rate limit"},
		"rate, no code":     {own, 429, "", "Too many requests", connector.RateLimit, "rate limit"},
		"lock":              {own, 429, "lock_timeout", "This object can't be accessed right now because another API request or Stripe process is currently accessing it.", connector.Transient, "try again later"},
		"conflict":          {own, 409, "", "There is currently another in-progress request.", connector.Transient, "try again later"},
		"dependency":        {own, 424, "", "A dependency failed.", connector.Transient, "try again later"},
		"timeout":           {own, 408, "", "no", connector.Transient, "try again later"},
		"error of Stripe's": {own, 500, "", "An unknown error occurred", connector.Transient, "try again later"},
		"an odd 503":        {own, 503, "", "This feature is not enabled", connector.Transient, "try again later"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := refuse(test.account, test.status, stripeError(test.code, "", test.message)).List(t.Context(), "/v1/charges", nil)
				failure, ok := errors.AsType[*connector.Failure](err)
				if !ok {
					t.Fatalf("got %v", err)
				}
				if failure.Class != test.class || failure.SourceCode != test.code || failure.HTTPStatus != test.status {
					t.Errorf("got %s: %+v", failure.Class, failure)
				}
				if !strings.Contains(failure.Message, test.says) || !strings.Contains(failure.Message, " Stripe says: "+test.message[:2]) {
					t.Errorf("message %q, want %q and Stripe's message", failure.Message, test.says)
				}
				if retryable := test.class == connector.Transient || test.class == connector.RateLimit; failure.Retryable != retryable {
					t.Errorf("Retryable is %v", failure.Retryable)
				}
			})
		})
	}
}

func TestRefusalsHideSecrets(t *testing.T) {
	tests := map[string]struct{ message, want string }{
		"the key":          {"Invalid API Key provided: " + key, "Invalid API Key provided: [key]"},
		"another key":      {"Key rk_live_51PJ7J3APDi is of sk_test_...SYT3 and sk_org_live_abc", "Key rk_live_[removed] is of sk_test_[removed] and sk_org_live_[removed]"},
		"a webhook secret": {"Signed with whsec_abc123", "Signed with whsec_[removed]"},
		"a client secret":  {"No such intent: pi_1_secret_abc123", "No such intent: pi_1_secret_[removed]"},
		"an email address": {"Invalid email address: 'jenny.rosen@example.com'", "Invalid email address: '[removed]'"},
		"a name":           {"No customer is called 'Jenny Rosen' here", "No customer is called [removed] here"},
		"a name, quoted":   {`Invalid name: "Jenny Rosen"`, "Invalid name: [removed]"},
		"a card number":    {"The number 4242 4242 4242 4242 is wrong", "The number [removed] is wrong"},
		"a telephone":      {"Call +43 1 234-56-78", "Call [removed]"},
		"not UTF-8":        {"a\xffb", "a\ufffdb"},
		"what the reader needs": {
			"No such price: 'price_1Sgwx10zEfO6BZMhthtFU77'; don't use 'rak_plan_read' with `created[gte]`, it's 'data.customer' (GET: /v1/treasury/transactions) of 1 to 100, see https://stripe.com/docs",
			"No such price: 'price_1Sgwx10zEfO6BZMhthtFU77'; don't use 'rak_plan_read' with `created[gte]`, it's 'data.customer' (GET: /v1/treasury/transactions) of 1 to 100, see https://stripe.com/docs",
		},
		"a session's id": {"No such checkout.session: cs_test_a1b2c3d4", "No such checkout.session: cs_test_a1b2c3d4"},
		"very long":      {strings.Repeat("é ", 5000), strings.Repeat("é ", 333)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := refuse("", 400, stripeError("", test.message, test.message)).List(t.Context(), "/v1/charges", nil)
			failure, ok := errors.AsType[*connector.Failure](err)
			if !ok || !strings.Contains(failure.Message, "Stripe says: "+test.want) || len(failure.Message) > 1500 || len(failure.Internal) > 1500 {
				t.Fatalf("got %v", err)
			}
			for _, secret := range []string{key, "jenny", "Jenny", "4242", "234", "51PJ7", "abc123", "\xff"} {
				if strings.Contains(test.message, secret) && strings.Contains(failure.Message+failure.Internal, secret) {
					t.Errorf("the failure reveals %q: %s; %s", secret, failure.Message, failure.Internal)
				}
			}
		})
	}
}
