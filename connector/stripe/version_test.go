package stripe_test

import (
	"testing"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// TestCheckReportsVersions holds that Check reports the account's default API version, even if the key may not read the account.
func TestCheckReportsVersions(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 1}, AccountVersion: "2026-08-26.dahlia"})
	for name, refused := range map[string]bool{"a key that may read the account": false, "one that may not": true} {
		t.Run(name, func(t *testing.T) {
			if refused {
				defer w.Inject(stripetest.Fault{Kind: stripetest.PermissionMissing, Path: "/v1/account"})()
			}
			result, err := w.source.Check(t.Context(), connector.CheckRequest{Config: w.config, Streams: []string{"charges"}})
			if err != nil || len(result.Problems) > 0 {
				t.Fatal(err, result.Problems)
			}
			if got := result.AccountAttributes["account_api_version"]; got != "2026-08-26.dahlia" {
				t.Errorf("the account's version is %q", got)
			}
			if got := result.AccountAttributes["api_version"]; got != stripetest.APIVersion {
				t.Errorf("the connector's version is %q", got)
			}
		})
	}
}
