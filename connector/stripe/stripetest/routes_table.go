package stripetest

// routes returns every list endpoint of the API versions that the OpenAPI documents describe, plus those that only stripe-go
// v76.25.0 has.
func routes() []route {
	groups := [][]route{coreRoutes(), billingRoutes(), customerRoutes(), connectRoutes(), otherRoutes(), issuingRoutes(), treasuryRoutes(),
		searchRoutes(), sdkRoutes(), soleRoutes(), inlineRoutes(), routes2026()}
	var all []route
	for _, group := range groups {
		all = append(all, group...)
	}
	return all
}

func coreRoutes() []route {
	return []route{
		row("/v1/balance_transactions", "balance_transaction", "created currency payout source type permission=balance_transaction_source"),
		row("/v1/balance/history", "balance_transaction", "created currency payout source type permission=balance_transaction_source"),
		row("/v1/charges", "charge", "created customer payment_intent transfer_group"),
		row("/v1/charges/{charge}/refunds", "refund", "by=charge permission=charge"),
		row("/v1/coupons", "coupon", "created"),
		row("/v1/disputes", "dispute", "created charge payment_intent"),
		row("/v1/events", "event", "created delivery_success:bool type types:array"),
		row("/v1/payment_intents", "payment_intent", "created customer"),
		row("/v1/payouts", "payout", "created arrival_date:range destination status"),
		row("/v1/plans", "plan", "created active:bool product"),
		row("/v1/prices", "price", "created active:bool currency lookup_keys:array product recurring:object type:one_time|recurring permission=plan"),
		row("/v1/products", "product", "created active:bool ids:array shippable:bool url"),
		row("/v1/promotion_codes", "promotion_code", "created active:bool code coupon customer"),
		row("/v1/refunds", "refund", "created charge payment_intent permission=charge"),
		row("/v1/reviews", "review", "created"),
		row("/v1/setup_attempts", "setup_attempt", "created once setup_intent!"),
		row("/v1/setup_intents", "setup_intent", "created attach_to_self:bool customer payment_method"),
		row("/v1/shipping_rates", "shipping_rate", "created active:bool currency"),
		row("/v1/tax_rates", "tax_rate", "created active:bool inclusive:bool"),
		row("/v1/topups", "topup", "created amount:range status:canceled|failed|pending|succeeded"),
		row("/v1/transfers", "transfer", "created destination transfer_group"),
		row("/v1/transfers/{id}/reversals", "transfer_reversal", "permission=transfer"),
		row("/v1/application_fees", "application_fee", "created charge"),
		row("/v1/application_fees/{id}/refunds", "fee_refund", "permission=application_fee"),
		row("/v1/checkout/sessions", "checkout.session", "created customer customer_details:object/email payment_intent payment_link "+
			"status:complete|expired|open subscription"),
		row("/v1/checkout/sessions/{session}/line_items", "session_item", "once permission=checkout_session"),
		row("/v1/payment_links", "payment_link", "active:bool"),
		row("/v1/payment_links/{payment_link}/line_items", "payment_link_item", "once permission=payment_link"),
	}
}

func billingRoutes() []route {
	return []route{
		row("/v1/credit_notes", "credit_note", "created customer invoice"),
		row("/v1/credit_notes/{credit_note}/lines", "credit_note_line_item", "once permission=credit_note"),
		row("/v1/credit_notes/preview/lines", "credit_note_line_item", previewParams+" refund until="+dahlia),
		row("/v1/credit_notes/preview/lines", "credit_note_line_item", previewParams+" email_type refunds:array since="+dahlia),
		row("/v1/invoiceitems", "invoiceitem", "created customer invoice pending:bool permission=invoice"),
		row("/v1/invoices", "invoice", "created collection_method:charge_automatically|send_invoice customer due_date:range "+
			"status:draft|open|paid|uncollectible|void subscription"),
		row("/v1/invoices/{invoice}/lines", "line_item", "once permission=invoice"),
		row("/v1/invoices/upcoming/lines", "line_item", "once until="+dahlia+" permission=invoice automatic_tax:object/enabled coupon currency customer customer_details:object "+
			"discounts:array invoice_items:array issuer:object/type on_behalf_of schedule subscription "+
			"subscription_billing_cycle_anchor subscription_cancel_at subscription_cancel_at_period_end:bool "+
			"subscription_cancel_now:bool subscription_default_tax_rates:array subscription_items:array "+
			"subscription_proration_behavior:always_invoice|create_prorations|none subscription_proration_date:integer "+
			"subscription_resume_at:now|now subscription_start_date:integer subscription_trial_end subscription_trial_from_plan:bool"),
		row("/v1/quotes", "quote", "customer status:accepted|canceled|draft|open test_clock"),
		row("/v1/quotes/{quote}/line_items", "quote_item", "once permission=quote"),
		row("/v1/quotes/{quote}/computed_upfront_line_items", "quote_upfront_item", "once permission=quote"),
		row("/v1/subscription_items", "subscription_item", "subscription! permission=subscription"),
		row("/v1/subscription_items/{subscription_item}/usage_record_summaries", "usage_record_summary", "once permission=usage_record until="+dahlia),
		row("/v1/subscription_schedules", "subscription_schedule", "created canceled_at:range completed_at:range customer released_at:range "+
			"scheduled:bool permission=subscription"),
		row("/v1/subscriptions", "subscription", "created automatic_tax:object/enabled collection_method:charge_automatically|send_invoice "+
			"current_period_end:range current_period_start:range customer price "+
			"status:active|all|canceled|ended|incomplete|incomplete_expired|past_due|paused|trialing|unpaid test_clock"),
	}
}

const previewParams = "once amount:integer credit_amount:integer effective_at:integer invoice! lines:array memo metadata:object " +
	"out_of_band_amount:integer reason:duplicate|fraudulent|order_change|product_unsatisfactory refund_amount:integer " +
	"shipping_cost:object permission=credit_note"

func customerRoutes() []route {
	return []route{
		row("/v1/customers", "customer", "created email test_clock"),
		row("/v1/customers/{customer}/balance_transactions", "customer_balance_transaction", "permission=customer until="+dahlia),
		row("/v1/customers/{customer}/balance_transactions", "customer_balance_transaction", "created invoice permission=customer since="+dahlia),
		row("/v1/customers/{customer}/bank_accounts", "customer_bank_account", "permission=source"),
		row("/v1/customers/{customer}/cards", "customer_card", "permission=source"),
		row("/v1/customers/{customer}/cash_balance_transactions", "customer_cash_balance_transaction", "permission=customer"),
		row("/v1/customers/{customer}/payment_methods", "payment_method", "type:"+paymentMethodTypes),
		row("/v1/customers/{customer}/sources", "customer_card|customer_bank_account|source", "object permission=source"),
		row("/v1/customers/{customer}/subscriptions", "subscription", "by=customer"),
		row("/v1/customers/{customer}/tax_ids", "customer_tax_id", "permission=tax_id"),
		row("/v1/payment_methods", "treasury_payment_method|payment_method", "permission=payment_method customer type:"+paymentMethodTypes),
		row("/v1/sources/{source}/source_transactions", "source_transaction", "permission=source"),
		row("/v1/tax_ids", "tax_id", "owner:object/type since="+autumn2023),
	}
}

const paymentMethodTypes = "acss_debit|affirm|afterpay_clearpay|alipay|au_becs_debit|bacs_debit|bancontact|blik|boleto|card|cashapp|" +
	"customer_balance|eps|fpx|giropay|grabpay|ideal|klarna|konbini|link|oxxo|p24|paynow|paypal|pix|promptpay|revolut_pay|sepa_debit|" +
	"sofort|swish|us_bank_account|wechat_pay|zip"

func connectRoutes() []route {
	return []route{
		row("/v1/accounts", "account", "created permission=connected_account"),
		row("/v1/accounts/{account}/capabilities", "capability", "unpaged permission=connected_account"),
		row("/v1/accounts/{account}/external_accounts", "account_bank_account|account_card",
			"object:bank_account|card permission=connected_account"),
		row("/v1/accounts/{account}/people", "person", "relationship:object permission=connected_account"),
		row("/v1/accounts/{account}/persons", "person", "relationship:object permission=connected_account"),
	}
}

func otherRoutes() []route {
	return []route{
		row("/v1/apple_pay/domains", "apple_pay_domain", "domain_name"),
		row("/v1/apps/secrets", "apps.secret", "once scope:object/type! permission=app_secret"),
		row("/v1/billing_portal/configurations", "billing_portal.configuration", "active:bool is_default:bool permission=customer_portal"),
		row("/v1/climate/orders", "climate.order", "since="+autumn2023),
		row("/v1/climate/products", "climate.product", "since="+autumn2023),
		row("/v1/climate/suppliers", "climate.supplier", "since="+autumn2023),
		row("/v1/country_specs", "country_spec", ""),
		row("/v1/exchange_rates", "exchange_rate", ""),
		row("/v1/file_links", "file_link", "created expired:bool file"),
		row("/v1/files", "file", "created purpose:account_requirement|additional_verification|business_icon|business_logo|customer_signature|"+
			"dispute_evidence|document_provider_identity_document|finance_report_run|identity_document|"+
			"identity_document_downloadable|pci_document|selfie|sigma_scheduled_query|tax_document_user_upload|terminal_reader_splashscreen"),
		row("/v1/financial_connections/accounts", "financial_connections.account", "account_holder:object session"),
		row("/v1/financial_connections/accounts/{account}/owners", "financial_connections.account_owner", "once ownership!"),
		row("/v1/financial_connections/transactions", "financial_connections.transaction", "account! transacted_at:range transaction_refresh:object/after since="+autumn2023),
		row("/v1/linked_accounts", "financial_connections.account", "account_holder:object session"),
		row("/v1/linked_accounts/{account}/owners", "financial_connections.account_owner", "once ownership!"),
		row("/v1/identity/verification_reports", "identity.verification_report", "created client_reference_id type:document|id_number verification_session"),
		row("/v1/identity/verification_sessions", "identity.verification_session", "created client_reference_id "+
			"status:canceled|processing|requires_input|verified"),
		row("/v1/payment_method_configurations", "payment_method_configuration", "unpaged application since="+autumn2023+" until="+dahlia),
		row("/v1/payment_method_configurations", "payment_method_configuration", "active:bool application since="+dahlia),
		row("/v1/payment_method_domains", "payment_method_domain", "domain_name enabled:bool since="+autumn2023),
		row("/v1/radar/early_fraud_warnings", "radar.early_fraud_warning", "created charge payment_intent"),
		row("/v1/radar/value_list_items", "radar.value_list_item", "created value value_list! permission=radar_value_list"),
		row("/v1/radar/value_lists", "radar.value_list", "created alias contains"),
		row("/v1/reporting/report_runs", "reporting.report_run", "created"),
		row("/v1/reporting/report_types", "reporting.report_type", "unpaged"),
		row("/v1/sigma/scheduled_query_runs", "scheduled_query_run", ""),
		row("/v1/tax/calculations/{calculation}/line_items", "tax.calculation_line_item", "once permission=tax_calculation"),
		row("/v1/tax/registrations", "tax.registration", "status:active|all|expired|scheduled since="+autumn2023),
		row("/v1/tax/transactions/{transaction}/line_items", "tax.transaction_line_item", "once permission=tax_transaction"),
		row("/v1/tax_codes", "tax_code", ""),
		row("/v1/terminal/configurations", "terminal.configuration", "is_account_default:bool"),
		row("/v1/terminal/locations", "terminal.location", ""),
		row("/v1/terminal/readers", "terminal.reader", "device_type:bbpos_chipper2x|bbpos_wisepad3|bbpos_wisepos_e|simulated_wisepos_e|"+
			"stripe_m2|verifone_P400 location serial_number status:offline|online"),
		row("/v1/test_helpers/test_clocks", "test_helpers.test_clock", "permission=test_clock"),
		row("/v1/webhook_endpoints", "webhook_endpoint", "permission=webhook"),
	}
}

func issuingRoutes() []route {
	return []route{
		row("/v1/issuing/authorizations", "issuing.authorization", "created card cardholder status:closed|pending|reversed"),
		row("/v1/issuing/cardholders", "issuing.cardholder", "created email phone_number status:active|blocked|inactive type:company|individual"),
		row("/v1/issuing/cards", "issuing.card", "created cardholder exp_month:integer exp_year:integer last4 personalization_design "+
			"status:active|canceled|inactive type:physical|virtual"),
		row("/v1/issuing/disputes", "issuing.dispute", "created status:expired|lost|submitted|unsubmitted|won transaction"),
		row("/v1/issuing/personalization_designs", "issuing.personalization_design", "lookup_keys:array preferences:object "+
			"status:active|inactive|rejected|review since="+autumn2023),
		row("/v1/issuing/physical_bundles", "issuing.physical_bundle", "status:active|inactive|review type:custom|standard since="+autumn2023),
		row("/v1/issuing/settlements", "issuing.settlement", "created until="+dahlia),
		row("/v1/issuing/tokens", "issuing.token", "created card! status:active|deleted|requested|suspended since="+autumn2023),
		row("/v1/issuing/transactions", "issuing.transaction", "created card cardholder type:capture|refund"),
	}
}

func treasuryRoutes() []route {
	return []route{
		row("/v1/treasury/credit_reversals", "treasury.credit_reversal", "financial_account! received_credit status:canceled|posted|processing"),
		row("/v1/treasury/debit_reversals", "treasury.debit_reversal", "financial_account! received_debit resolution:lost|won "+
			"status:canceled|completed|processing"),
		row("/v1/treasury/financial_accounts", "treasury.financial_account", "created"),
		row("/v1/treasury/inbound_transfers", "treasury.inbound_transfer", "financial_account! status:canceled|failed|processing|succeeded"),
		row("/v1/treasury/outbound_payments", "treasury.outbound_payment", "created customer financial_account! "+
			"status:canceled|failed|posted|processing|returned"),
		row("/v1/treasury/outbound_transfers", "treasury.outbound_transfer", "financial_account! status:canceled|failed|posted|processing|returned"),
		row("/v1/treasury/received_credits", "treasury.received_credit", "financial_account! linked_flows:object/source_flow_type status:failed|succeeded"),
		row("/v1/treasury/received_debits", "treasury.received_debit", "financial_account! status:failed|succeeded"),
		row("/v1/treasury/transaction_entries", "treasury.transaction_entry", "created effective_at:range financial_account! "+
			"order_by:created|effective_at transaction"),
		row("/v1/treasury/transactions", "treasury.transaction", "created financial_account! order_by:created|posted_at status:open|posted|void "+
			"status_transitions:object"),
	}
}

// searchRoutes returns Stripe's search endpoints (https://docs.stripe.com/search). They are included so that every endpoint
// answers. Their query language is only partly supported.
func searchRoutes() []route {
	return []route{
		row("/v1/charges/search", "charge", "search query!"),
		row("/v1/customers/search", "customer", "search query!"),
		row("/v1/invoices/search", "invoice", "search query!"),
		row("/v1/payment_intents/search", "payment_intent", "search query!"),
		row("/v1/prices/search", "price", "search query! permission=plan"),
		row("/v1/products/search", "product", "search query!"),
		row("/v1/subscriptions/search", "subscription", "search query!"),
	}
}

// sdkRoutes returns the endpoints in stripe-go v76.25.0 that are not in the OpenAPI document of 2024-03-14.
func sdkRoutes() []route {
	return []route{
		row("/v1/billing/meters", "billing.meter", "status:active|inactive"),
		row("/v1/billing/meters/{id}/event_summaries", "billing.meter_event_summary", "once customer! end_time:integer! start_time:integer! "+
			"value_grouping_window:day|hour permission=billing_meter"),
		row("/v1/entitlements/active_entitlements", "entitlements.active_entitlement", "customer!"),
		row("/v1/entitlements/features", "entitlements.feature", "archived:bool lookup_key"),
		row("/v1/forwarding/requests", "forwarding.request", "created"),
	}
}

// soleRoutes returns the endpoints of a single object.
func soleRoutes() []route {
	return []route{
		row("/v1/account", "own_account", "one permission=accounts_kyc_basic"),
		row("/v1/balance", "balance", "one"),
		row("/v1/customers/{customer}/cash_balance", "cash_balance", "one permission=customer"),
		row("/v1/tax/settings", "tax.settings", "one since="+autumn2023),
	}
}

// inlineRoutes returns routes that are not Stripe endpoints: their objects are found only inside other objects.
func inlineRoutes() []route {
	return []route{
		row("/v1/customers/{customer}/discounts", "customer_discount", "inline permission=customer"),
		row("/v1/invoices/{invoice}/discounts", "invoice_discount", "inline permission=invoice"),
		row("/v1/subscriptions/{subscription}/discounts", "subscription_discount", "inline permission=subscription"),
	}
}
