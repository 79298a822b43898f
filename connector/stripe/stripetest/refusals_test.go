package stripetest

import (
	"net/http"
	"strings"
	"testing"
)

// TestRefusals compares status, code and message with those in public reports.
func TestRefusals(t *testing.T) {
	const key = "rk_live_51abcdefghWXYZ"
	s := New(fixed())
	account := s.ID()
	tests := map[FaultKind]struct {
		target string
		status int
		code   string
		words  string
	}{
		PermissionMissing: {"/v1/charges", 403, "", "The provided key 'rk_live_**********WXYZ' does not have the required permissions for this endpoint " +
			"on account '" + account + "'. Having the 'rak_charge_read' permission would allow this request to continue."},
		PermissionUnavailable: {"/v1/account", 403, "", "on account '" + account + "'. This is a restricted API key, but the required permissions are " +
			"not available for use by restricted keys."},
		AppPermissionMissing: {"/v1/accounts/acct_1", 403, "more_permissions_required_for_application", "This application does not have the required " +
			"permissions for this endpoint on account '" + account + "'. Having the 'read_only' scope would allow this request to continue."},
		SessionPermissionMissing: {"/v1/charges", 403, "more_permissions_required", "does not have the required permissions"},
		OAuthNotSupported:        {"/v1/charges", 403, "oauth_not_supported", "OAuth"},
		KeyInvalid:               {"/v1/charges", 401, "", "Invalid API Key provided: rk_live_**********WXYZ"},
		KeyExpired:               {"/v1/charges", 401, "api_key_expired", "Expired API Key provided: rk_live_**********WXYZ"},
		AccountInvalid:           {"/v1/charges", 403, "account_invalid", "does not have access to account '" + account + "'"},
		NotAPlatform:             {"/v1/accounts", 403, "", "Only Stripe Connect platforms can work with other accounts."},
		NoPlatformControls: {"/v1/accounts/acct_1/persons", 403, "", "You cannot perform this request as you do not have Platform Controls " +
			"for the Stripe Dashboard on the account"},
		NoConnectPermissions: {"/v1/charges", 403, "", "the restricted API key does not have any Connect permissions."},
		IssuingNotEnabled: {"/v1/issuing/cards", 400, "", "Your account is not set up to use Issuing. Please visit " +
			"https://dashboard.stripe.com/issuing/overview to get started."},
		TreasuryNotEnabled: {"/v1/treasury/transactions", 404, "", "Unrecognized request URL (GET: /v1/treasury/transactions). "},
		FeatureNotEnabled:  {"/v1/climate/orders", 400, "", "not enabled"},
		LiveKeysOnly:       {"/v1/reporting/report_types", 403, "", "Only live keys may"},
		UnrecognizedURL:    {"/v1/account", 404, "", "Unrecognized request URL (GET: /v1/account)."},
		NoSuchObject:       {"/v1/charges/ch_1", 404, "resource_missing", "No such charge: 'ch_1'"},
		OtherMode: {"/v1/charges/ch_1", 404, "resource_missing", "No such charge: 'ch_1'; a similar object exists in live mode, but a test mode " +
			"key was used to make this request."},
		ObjectRefused: {"/v1/charges/ch_1", 400, "", "This charge cannot be shown."},
		NotLegacyMetered: {"/v1/subscription_items/si_1/usage_record_summaries", 400, "", "Cannot list usage record summaries for si_1 because it " +
			"is not on the legacy metered billing system"},
		NoLineItems:   {"/v1/checkout/sessions/cs_1/line_items", 400, "", "Could not find line items for this Checkout Session"},
		OldLineItemID: {"/v1/invoices/in_1/lines?starting_after=ii_1", 400, "", "Old id values cannot be used to specify an invoice line item"},
		CursorAgedOut: {"/v1/events?starting_after=evt_1", 400, "resource_missing", "The event evt_1 is no longer available because it's aged out of " +
			"our retention policy"},
	}
	for kind := range refusals() {
		test, ok := tests[kind]
		if !ok {
			t.Errorf("no test of kind %d", kind)
			continue
		}
		remove := s.Inject(Fault{Kind: kind})
		status, e := errorOf(t, s, test.target, "Authorization", "Bearer "+key)
		if status != test.status || e.Code != test.code || e.Type != "invalid_request_error" || !strings.Contains(e.Message, test.words) ||
			strings.Contains(e.Message, "{") || strings.Contains(e.Message, key) {
			t.Errorf("%d: GET %s: %d %+v, want %+v", kind, test.target, status, e, test)
		}
		remove()
	}
}

// TestRefusalsVary varies the status of refusals and the permission they name.
func TestRefusalsVary(t *testing.T) {
	s := New(fixed())
	s.Inject(Fault{Kind: PermissionMissing, Path: "/v1/customers", Query: "data.sources", Reason: "rak_source_read", Status: 401})
	if status, e := errorOf(t, s, "/v1/customers?expand[]=data.sources"); status != 401 || !strings.Contains(e.Message, "'rak_source_read'") {
		t.Error(status, e)
	}
	if status, _ := errorOf(t, s, "/v1/customers?expand%5B0%5D=data%2Esources"); status != 401 {
		t.Error("the query was not unescaped")
	}
	fetch[page](t, s, "/v1/customers")
	s.Inject(Fault{Kind: EmptyBody, Status: 403})
	if w := call(t, s, "/v1/customers"); w.Code != 403 || w.Body.Len() > 0 {
		t.Error(w)
	}
}

// TestPermissionsComeAndGo changes a key's permissions while the key is in use.
func TestPermissionsComeAndGo(t *testing.T) {
	options := fixed()
	options.Keys = map[string]Key{"rk_test_1": {Permissions: []string{"rak_customer_read"}}}
	s := New(options)
	status := func(target string) int { return call(t, s, target, "Authorization", "Bearer rk_test_1").Code }
	if status("/v1/customers") != 200 || status("/v1/charges") != 403 || status("/v1/events") != 403 || status("/v1/account") != 403 {
		t.Error("before")
	}
	s.SetKey("rk_test_1", Key{Permissions: []string{"rak_charge_read", "rak_accounts_kyc_basic_read"}})
	if status("/v1/customers") != 403 || status("/v1/charges") != 200 || status("/v1/account") != 200 {
		t.Error("after")
	}
	if len(options.Keys["rk_test_1"].Permissions) != 1 {
		t.Error("the caller's options changed")
	}
	s.SetKey("sk_test_1", Key{})
	s.SetNotEnabled("issuing")
	if code := call(t, s, "/v1/issuing/cards", "Authorization", "Bearer sk_test_1").Code; code != http.StatusBadRequest {
		t.Error(code)
	}
	s.SetNotEnabled()
	fetch[page](t, s, "/v1/issuing/cards", "Authorization", "Bearer sk_test_1")
}

// TestExpansionsNeedPermission reads lists that the key may read, with expansions that it may not.
func TestExpansionsNeedPermission(t *testing.T) {
	options := fixed()
	permissions := []string{"rak_customer_read", "rak_charge_read", "rak_tax_id_read", "rak_invoice_read", "rak_product_read"}
	options.Keys = map[string]Key{"rk_test_1": {Permissions: permissions}, "sk_test_2": {}}
	s := New(options)
	for target, permission := range map[string]string{
		"/v1/customers":                                                                      "",
		"/v1/customers?expand[]=data.sources":                                                "rak_source_read",
		"/v1/customers?expand[]=data.tax_ids":                                                "",
		"/v1/customers?expand[]=data.tax_ids&expand[]=data.subscriptions":                    "rak_subscription_read",
		"/v1/charges?expand[]=data.customer":                                                 "",
		"/v1/invoices/" + newestID(s, "/v1/invoices") + "/lines?expand[]=data.price.product": "", // a line includes its price anyway
		"/v1/charges?expand[]=data.refunds":                                                  "",
		"/v1/charges?expand[]=data.balance_transaction":                                      "rak_balance_transaction_source_read",
		"/v1/charges?expand[]=data.invoice.subscription":                                     "rak_subscription_read",
		"/v1/charges/" + newestID(s, "/v1/charges") + "?expand[]=transfer":                   "rak_transfer_read",
		"/v1/charges?expand[]=data.payment_intent&expand[]=data.application":                 "rak_payment_intent_read",
	} {
		w := call(t, s, target, "Authorization", "Bearer rk_test_1")
		if permission == "" && w.Code != 200 || permission != "" && (w.Code != 403 || !strings.Contains(w.Body.String(), "'"+permission+"'")) {
			t.Errorf("GET %s: %d %.300s, want %q", target, w.Code, w.Body, permission)
		}
		fetch[struct{ Object string }](t, s, target, "Authorization", "Bearer sk_test_2")
	}
}

// TestKeysOfTwoAccounts reads with a key of each of two accounts, neither of which may read its own account object.
func TestKeysOfTwoAccounts(t *testing.T) {
	s := New(fixed())
	other := s.ConnectedAccounts()[0]
	permissions := []string{"rak_charge_read"}
	s.SetKey("rk_test_one", Key{Permissions: permissions})
	s.SetKey("rk_test_two", Key{Permissions: permissions, Account: other})
	one, _ := readAll(t, s, "/v1/charges", "", "100", "Authorization", "Bearer rk_test_one")
	two, _ := readAll(t, s, "/v1/charges", "", "100", "Authorization", "Bearer rk_test_two")
	if one[0] == two[0] || one[0][8:16] == two[0][8:16] || two[0][8:16] != two[1][8:16] {
		t.Errorf("ids of two accounts: %s, %s and %s", one[0], two[0], two[1])
	}
	if len(two) != s.Connected(other).Count("/v1/charges") {
		t.Errorf("%d charges", len(two))
	}
	if status, e := errorOf(t, s, "/v1/account", "Authorization", "Bearer rk_test_two"); status != 403 || !strings.Contains(e.Message, other) {
		t.Error(status, e)
	}
	if status, e := errorOf(t, s, "/v1/charges", "Authorization", "Bearer rk_test_two", "Stripe-Account", s.ID()); status != 403 ||
		!strings.Contains(e.Message, "Only Stripe Connect platforms") {
		t.Error(status, e)
	}
	if status, e := errorOf(t, s, "/v1/charges/"+two[0], "Authorization", "Bearer rk_test_one"); status != 404 || e.Code != "resource_missing" {
		t.Error(status, e)
	}
}
