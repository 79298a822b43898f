package stripetest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// caller identifies the sender of a request.
type caller struct {
	key        string
	restricted bool
	live       bool
	// permissions is nil for a key that may read everything.
	permissions []string
	account     *Account
	// platform is true if the request is about the key's own account.
	platform bool
}

// authenticate checks the key and the account (https://docs.stripe.com/api/authentication).
func (s *Stripe) authenticate(request *http.Request) (*caller, *apiError) {
	key := keyOf(request)
	if key == "" {
		return nil, unauthorized("", "You did not provide an API key. You need to provide your API key in the Authorization header, "+
			"using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details, "+
			"or we can help at https://support.stripe.com/.")
	}
	c, err := s.known(key)
	if err != nil {
		return nil, err
	}
	id := request.Header.Get("Stripe-Account")
	if id == "" || id == c.account.id {
		return c, nil
	}
	if !c.platform {
		return nil, forbidden("", refusals()[NotAPlatform].message)
	}
	connected := s.accounts[id]
	if connected == nil {
		return nil, forbidden("account_invalid", fmt.Sprintf("The provided key '%s' does not have access to account '%s' "+
			"(or that account does not exist). Application access may have been revoked.", masked(key), id))
	}
	c.account, c.platform = connected, false
	return c, nil
}

// known checks that a key is well-formed, configured and unexpired.
func (s *Stripe) known(key string) (*caller, *apiError) {
	kind, rest, _ := strings.Cut(key, "_")
	mode, secret, _ := strings.Cut(rest, "_")
	if kind == "pk" {
		return nil, unauthorized("secret_key_required", "This API call cannot be made with a publishable API key. Please use a secret API key. "+
			"You can find a list of your API keys at https://dashboard.stripe.com/account/apikeys.")
	}
	wellFormed := (kind == "sk" || kind == "rk") && (mode == "test" || mode == "live") && secret != ""
	configured, found, any := s.grants.key(key)
	if !wellFormed || any && !found {
		return nil, unauthorized("", fmt.Sprintf("Invalid API Key provided: %s", masked(key)))
	}
	if configured.Expired {
		e := unauthorized("api_key_expired", fmt.Sprintf("Expired API Key provided: %s", masked(key)))
		e.docURL = "https://stripe.com/docs/error-codes/api-key-expired"
		return nil, e
	}
	c := &caller{key: key, live: mode == "live", restricted: kind == "rk", account: s.Account, platform: true}
	if connected := s.accounts[configured.Account]; connected != nil {
		c.account, c.platform = connected, false
	}
	if c.restricted && found {
		c.permissions = append([]string{""}, configured.Permissions...)
	}
	return c, nil
}

// masked returns the part of a key that Stripe shows in error messages.
func masked(key string) string {
	i := strings.LastIndexByte(key, '_') + 1
	shown := max(i, len(key)-4)
	return key[:i] + strings.Repeat("*", min(shown-i, 24)) + key[shown:]
}

// authorize checks the permissions of a restricted key and the products that the account is set up for. Like Stripe, it does
// so before looking up any object.
func (s *Stripe) authorize(x *exchange, c *caller) *apiError {
	permission := x.permission()
	denied := c.permissions != nil && !slices.Contains(c.permissions, permission)
	if denied || c.restricted && c.permissions == nil && x.end.route.path == "/v1/account" {
		return x.refuse(refusals()[PermissionMissing])
	}
	if !s.grants.lacks(x.end.route.product) {
		return nil
	}
	if x.end.route.product == "issuing" {
		return x.refuse(refusals()[IssuingNotEnabled])
	}
	return x.refuse(refusals()[TreasuryNotEnabled])
}

// Permission returns the permission that a restricted key needs to read the list at path, such as "rak_charge_read", or "".
func (s *Stripe) Permission(path string) string {
	end, _ := s.model.match(splitPath(path))
	if end == nil || end.route == nil {
		return ""
	}
	return permissionName(end.route.permission)
}
