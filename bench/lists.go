package main

import "strings"

// childList describes a list of the children of a parent, as documented by Stripe. The table is independent of the
// connector's, so that an unnecessary request can't hide in both.
type childList struct {
	parent string // the parent's stream
	// path is the path of the list, with {} for the parent's id.
	path string
	// param is the parameter that names the parent, if the path doesn't. of is the parent's property to pass; empty means id.
	param, of string
	// embedded is the path of the first items in the parent's object, or "". If expanded is true, they are embedded
	// only on request.
	embedded string
	expanded bool
	// inline means that the children are fields of the parent's object: they cost no request of their own.
	inline bool
	// kind is the type of parents that have children, if the parents' list contains several types.
	kind string
	// needs is a property that a parent with children must have, neither null nor false.
	needs string
	// across is another stream. The list is requested for each combination of a parent and one of its objects.
	across string
	// also has further required parameters, as a query.
	also string
}

// childLists returns the child lists by stream. Streams with the same path are read from the same pages.
func childLists() map[string]childList {
	lists := map[string]childList{
		"application_fee_refunds":              {parent: "application_fees", path: "/v1/application_fees/{}/refunds", embedded: "refunds"},
		"billing_meter_event_summaries":        {parent: "customers", path: "/v1/billing/meters/{across}/event_summaries", param: "customer", across: "billing_meters", also: "start_time=0&end_time=4102444800&value_grouping_window=day"},
		"capabilities":                         {parent: "accounts", path: "/v1/accounts/{}/capabilities"},
		"checkout_session_line_items":          {parent: "checkout_sessions", path: "/v1/checkout/sessions/{}/line_items", embedded: "line_items", expanded: true},
		"credit_note_line_items":               {parent: "credit_notes", path: "/v1/credit_notes/{}/lines", embedded: "lines"},
		"customer_balance_transactions":        {parent: "customers", path: "/v1/customers/{}/balance_transactions"},
		"customer_cash_balance_transactions":   {parent: "customers", path: "/v1/customers/{}/cash_balance_transactions"},
		"customer_cash_balances":               {parent: "customers", path: "/v1/customers/{}/cash_balance", inline: true},
		"customer_discounts":                   {parent: "customers", path: "/v1/customers/{}/discount", inline: true},
		"customer_payment_methods":             {parent: "customers", path: "/v1/customers/{}/payment_methods"},
		"customer_tax_ids":                     {parent: "customers", path: "/v1/customers/{}/tax_ids", embedded: "tax_ids", expanded: true},
		"entitlements_active_entitlements":     {parent: "customers", path: "/v1/entitlements/active_entitlements", param: "customer"},
		"financial_connections_account_owners": {parent: "financial_connections_accounts", path: "/v1/financial_connections/accounts/{}/owners", param: "ownership", of: "ownership", needs: "ownership"},
		"financial_connections_transactions":   {parent: "financial_connections_accounts", path: "/v1/financial_connections/transactions", param: "account"},
		"invoice_discounts":                    {parent: "invoices", path: "/v1/invoices/{}/discounts", inline: true},
		"invoice_line_items":                   {parent: "invoices", path: "/v1/invoices/{}/lines", embedded: "lines"},
		"issuing_tokens":                       {parent: "issuing_cards", path: "/v1/issuing/tokens", param: "card"},
		"payment_link_line_items":              {parent: "payment_links", path: "/v1/payment_links/{}/line_items", embedded: "line_items", expanded: true},
		"payout_transactions":                  {parent: "payouts", path: "/v1/balance_transactions", param: "payout", needs: "automatic"},
		"persons":                              {parent: "accounts", path: "/v1/accounts/{}/persons"},
		"quote_computed_upfront_line_items":    {parent: "quotes", path: "/v1/quotes/{}/computed_upfront_line_items", embedded: "computed.upfront.line_items", expanded: true},
		"quote_line_items":                     {parent: "quotes", path: "/v1/quotes/{}/line_items", embedded: "line_items", expanded: true},
		"radar_value_list_items":               {parent: "radar_value_lists", path: "/v1/radar/value_list_items", param: "value_list", embedded: "list_items"},
		"setup_attempts":                       {parent: "setup_intents", path: "/v1/setup_attempts", param: "setup_intent", needs: "latest_attempt"},
		"source_transactions":                  {parent: "sources", kind: "source", path: "/v1/sources/{}/source_transactions"},
		"subscription_discounts":               {parent: "subscriptions", path: "/v1/subscriptions/{}/discount", inline: true},
		"subscription_items":                   {parent: "subscriptions", path: "/v1/subscription_items", param: "subscription", embedded: "items"},
		"transfer_reversals":                   {parent: "transfers", path: "/v1/transfers/{}/reversals", embedded: "reversals"},
		"usage_record_summaries":               {parent: "subscription_items", path: "/v1/subscription_items/{}/usage_record_summaries"},
	}
	for _, stream := range []string{"sources", "cards", "bank_accounts"} {
		lists[stream] = childList{parent: "customers", path: "/v1/customers/{}/sources", embedded: "sources", expanded: true}
	}
	for _, stream := range []string{"external_account_bank_accounts", "external_account_cards"} {
		lists[stream] = childList{parent: "accounts", path: "/v1/accounts/{}/external_accounts", embedded: "external_accounts"}
	}
	for _, stream := range []string{
		"credit_reversals", "debit_reversals", "inbound_transfers", "outbound_payments", "outbound_transfers", "received_credits",
		"received_debits", "transaction_entries", "transactions",
	} {
		lists["treasury_"+stream] = childList{parent: "treasury_financial_accounts", path: "/v1/treasury/" + stream, param: "financial_account"}
	}
	return lists
}

// rootPath returns the path and the query of a list without a parent. Most paths are the stream's name.
func rootPath(stream string) (path, query string) {
	switch stream {
	case "invoice_items":
		return "/v1/invoiceitems", ""
	case "subscriptions", "tax_registrations":
		query = "status=all" // by default, canceled and expired ones are omitted
	case "apps_secrets":
		query = "scope[type]=account"
	}
	path = "/v1/" + stream
	for _, group := range []string{
		"apple_pay", "apps", "billing_portal", "billing", "checkout", "climate", "entitlements", "financial_connections", "forwarding", "identity",
		"issuing", "radar", "reporting", "sigma", "tax", "terminal", "test_helpers", "treasury",
	} {
		rest, ok := strings.CutPrefix(stream, group+"_")
		if ok && stream != "tax_codes" && stream != "tax_ids" && stream != "tax_rates" {
			return "/v1/" + group + "/" + rest, query
		}
	}
	return path, query
}
