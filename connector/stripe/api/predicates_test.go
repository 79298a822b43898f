package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
)

// predicates returns the names of the predicates that report true.
func predicates(err error) []string {
	var says []string
	for name, is := range map[string]func(error) bool{
		"IsNotFound": api.IsNotFound, "IsCursorGone": api.IsCursorGone, "IsGone": api.IsGone, "IsRefused": api.IsRefused,
		"IsBroken": api.IsBroken, "IsUnreachable": api.IsUnreachable, "IsExpansionRefused": api.IsExpansionRefused,
	} {
		if is(err) && is(fmt.Errorf("wrapped: %w", err)) {
			says = append(says, name)
		}
	}
	slices.Sort(says)
	return says
}

func TestPredicates(t *testing.T) {
	const permission = "The provided key 'rk_live_***j4va7j' does not have the required permissions for this endpoint on account 'acct_1'. Having the 'rak_bank_account_read' permission would allow this request to continue."
	after := url.Values{"starting_after": {"evt_9"}, "limit": {"100"}}
	expand := url.Values{"expand[]": {"data.sources", "data.tax_ids"}}
	tests := map[string]struct {
		get    bool
		query  url.Values
		status int
		body   string
		says   []string
	}{
		"a list whose parent is gone":         {false, nil, 404, stripeError("resource_missing", "id", "No such invoice: 'in_1'"), []string{"IsNotFound"}},
		"a list whose parent is gone, filter": {false, url.Values{"customer": {"cus_1"}}, 400, stripeError("resource_missing", "customer", "No such customer: 'cus_1'"), []string{"IsNotFound"}},
		"a list that the parent can't have":   {false, nil, 400, stripeError("", "", "Cannot list usage record summaries for si_1 because it is not on the legacy metered billing system"), []string{"IsNotFound"}},
		"a list of an old session":            {false, nil, 400, stripeError("", "", "Could not find line items for this Checkout Session. They may be missing for old testmode Checkout Sessions."), []string{"IsNotFound"}},
		"a list, refused":                     {false, nil, 400, stripeError("parameter_unknown", "foo", "Received unknown parameter: foo"), nil},
		"a list, no permission":               {false, nil, 403, stripeError("", "", permission), nil},

		"a cursor":                 {false, after, 400, stripeError("resource_missing", "starting_after", "No such event: 'evt_9'"), []string{"IsCursorGone"}},
		"a cursor, no param":       {false, after, 400, stripeError("resource_missing", "", "No such event: 'evt_9'"), []string{"IsCursorGone"}},
		"a cursor, no code":        {false, after, 400, stripeError("", "", "No such event: 'evt_9'"), []string{"IsCursorGone"}},
		"a cursor, aged out":       {false, after, 400, stripeError("", "starting_after", "The event evt_9 is no longer available because it's aged out of our retention policy."), []string{"IsCursorGone"}},
		"a cursor, aged out, 404":  {false, after, 404, stripeError("", "", "This event is no longer available because it's aged out of our retention policy."), []string{"IsCursorGone"}},
		"a cursor, a deleted line": {false, after, 400, stripeError("", "", "No such invoice item: 'ii_1'"), []string{"IsCursorGone"}},
		"a cursor, an old line id": {false, after, 400, stripeError("", "", "Old id values cannot be used to specify an invoice line item."), []string{"IsCursorGone"}},
		"a parent behind a cursor": {false, after, 404, stripeError("resource_missing", "id", "No such invoice: 'in_1'"), []string{"IsNotFound"}},
		"aged out, but no cursor":  {false, nil, 400, stripeError("", "", "is no longer available because it's aged out of our retention policy"), nil},

		"an object that is gone":                     {true, nil, 404, stripeError("resource_missing", "id", "No such charge: 'ch_1'"), []string{"IsGone", "IsNotFound"}},
		"an object that is gone, no code":            {true, nil, 404, stripeError("", "", "No such charge: 'ch_1'"), []string{"IsGone", "IsNotFound"}},
		"an event that aged out":                     {true, nil, 404, stripeError("", "", "This event is no longer available because it's aged out of our retention policy."), []string{"IsGone"}},
		"an object of the other mode":                {true, nil, 404, stripeError("resource_missing", "id", "No such charge: 'ch_1'; a similar object exists in live mode, but a test mode key was used to make this request."), nil},
		"an object, 400":                             {true, nil, 400, stripeError("", "", "This charge cannot be retrieved."), []string{"IsRefused"}},
		"an object, 403":                             {true, nil, 403, stripeError("", "", permission), []string{"IsRefused"}},
		"an object, 404 without words":               {true, nil, 404, "", []string{"IsRefused"}},
		"an object of a product that is not enabled": {true, nil, 404, stripeError("", "", "Unrecognized request URL (GET: /v1/treasury/transactions/trxn_1)."), []string{"IsRefused"}},
		"an object, invalid key":                     {true, nil, 401, stripeError("", "", "Invalid API Key provided"), nil},
		"an object, 500":                             {true, nil, 500, stripeError("", "", "An unknown error occurred"), []string{"IsBroken"}},
		"an object, damaged":                         {true, nil, 200, `{"id":"ch_1"`, []string{"IsBroken"}},

		"an expansion":                  {false, expand, 403, stripeError("", "", permission), []string{"IsExpansionRefused"}},
		"an expansion, 401":             {false, expand, 401, stripeError("", "", permission), []string{"IsExpansionRefused"}},
		"an expansion, of an object":    {true, expand, 403, stripeError("", "", permission), []string{"IsExpansionRefused", "IsRefused"}},
		"an expansion, none such":       {false, expand, 400, stripeError("", "", "This property cannot be expanded (data.sources)."), []string{"IsExpansionRefused"}},
		"an expansion, the parameter":   {false, expand, 400, stripeError("parameter_invalid", "expand[0]", "no"), []string{"IsExpansionRefused"}},
		"an expansion, another reason":  {false, expand, 400, stripeError("parameter_unknown", "foo", "no"), nil},
		"an expansion, the key invalid": {false, expand, 401, stripeError("", "", "Invalid API Key provided"), nil},

		"a page, 500":       {false, nil, 500, stripeError("", "", "An unknown error occurred"), []string{"IsBroken"}},
		"a page, cut short": {false, nil, 200, list[:50], []string{"IsBroken"}},
		"a page, empty":     {false, nil, 200, "", []string{"IsBroken"}},
		"a page, HTML 500":  {false, nil, 500, "<html>", []string{"IsBroken"}},
		"unavailable":       {false, nil, 503, stripeError("", "", "Service unavailable"), []string{"IsBroken", "IsUnreachable"}},
		"the rate limit":    {true, expand, 429, stripeError("rate_limit", "", "Request rate limit exceeded"), nil},
		"a lock":            {true, nil, 429, stripeError("lock_timeout", "", "This object can't be accessed right now"), nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := refuse("", test.status, test.body)
				var err error
				if test.get {
					_, err = c.Get(t.Context(), "/v1/charges/ch_1", test.query)
				} else {
					_, err = c.List(t.Context(), "/v1/invoices/in_1/lines", test.query)
				}
				if diff := cmp.Diff(test.says, predicates(err)); err == nil || diff != "" {
					t.Errorf("%v (-want +got):\n%s", err, diff)
				}
			})
		})
	}
}

func TestPredicatesOfOtherErrors(t *testing.T) {
	for _, err := range []error{nil, context.Canceled, errors.New("a bug"), &connector.Failure{Class: connector.SourceData, SourceCode: "resource_missing"}} {
		if says := predicates(err); says != nil || api.MissingPermissions(err) != nil {
			t.Errorf("%v: %v", err, says)
		}
	}
}

func TestMissingPermissions(t *testing.T) {
	tests := map[string]struct {
		status  int
		message string
		want    []string
	}{
		"one":      {403, "Having the 'rak_charge_read' permission would allow this request to continue.", []string{"rak_charge_read"}},
		"several":  {403, "Having the 'rak_charge_read' and 'rak_customer_read' permissions, or 'rak_charge_read', would allow it.", []string{"rak_charge_read", "rak_customer_read"}},
		"of late":  {403, "Enabling \"Prices Read\" ('plan_read') permissions on this key would allow this request to continue.", []string{"plan_read"}},
		"unnamed":  {403, "The required permissions are not available for use by restricted keys.", nil},
		"no right": {400, "No such coupon: 'must_read'", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := refuse("", test.status, stripeError("", "", test.message)).List(t.Context(), "/v1/charges", nil)
			if diff := cmp.Diff(test.want, api.MissingPermissions(err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
