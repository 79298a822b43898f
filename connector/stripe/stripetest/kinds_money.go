package stripetest

func balanceKinds() []kind {
	return []kind{
		{name: "balance_transaction", prefix: "txn_", n: 220,
			// The payout of a transaction is known only to the list's filter.
			relations: []relation{to("source", 90, "charge", "charge", "charge", "refund", "payout", "transfer"), {field: "payout", kinds: []string{"payout"}, odds: 60, given: true}}},
		{name: "balance", ids: []string{"balance"}, timeless: true, sole: true},
		{name: "payout", prefix: "po_", n: 15,
			relations: []relation{newest("balance_transaction", "balance_transaction", "source"), to("destination", 0, "account_bank_account"),
				to("failure_balance_transaction", 0, "balance_transaction"), to("original_payout", 0, "payout"), to("reversed_by", 0, "payout")},
			events: events{"payout.created", "payout.updated", ""}},
		{name: "transfer", prefix: "tr_", n: 12,
			relations: []relation{newest("balance_transaction", "balance_transaction", "source"), to("destination", 100, "account"),
				to("destination_payment", 0, "charge"), to("source_transaction", 60, "charge")},
			lists:  map[string]embedded{"reversals": list("^", "/v1/transfers/%s/reversals", "transfer_reversal")},
			events: events{"transfer.created", "transfer.updated", ""}},
		{name: "transfer_reversal", prefix: "trr_", parent: "transfer", parentField: "transfer", few: [2]int{0, 1}, many: 13,
			relations: []relation{to("balance_transaction", 0, "balance_transaction"), to("source_refund", 0, "refund"),
				to("destination_payment_refund", 0, "refund")}},
		{name: "topup", prefix: "tu_", n: 6, relations: []relation{to("balance_transaction", 0, "balance_transaction")},
			events: events{"topup.created", "topup.succeeded", ""}},
		{name: "application_fee", prefix: "fee_", n: 10,
			relations: []relation{to("charge", 100, "charge"), to("account", 100, "account"),
				to("balance_transaction", 0, "balance_transaction"), to("originating_transaction", 0, "charge")},
			lists:  map[string]embedded{"refunds": list("^", "/v1/application_fees/%s/refunds", "fee_refund")},
			events: events{"application_fee.created", "application_fee.refunded", ""}},
		{name: "fee_refund", prefix: "fr_", parent: "application_fee", parentField: "fee", few: [2]int{0, 1}, many: 12,
			relations: []relation{to("balance_transaction", 0, "balance_transaction")}},
		{name: "exchange_rate", ids: []string{"aud", "cad", "chf", "eur", "gbp", "jpy", "nok", "sek", "usd"}, timeless: true},
		{name: "country_spec", ids: []string{"AT", "AU", "BR", "CA", "DE", "FR", "GB", "IE", "JP", "MX", "US"}, timeless: true},
	}
}

func checkoutKinds() []kind {
	return []kind{
		{name: "checkout.session", prefix: "cs_test_", n: 20,
			relations: []relation{to("payment_intent", 70, "payment_intent"), via("customer", "payment_intent", 60, "customer"),
				via("invoice", "payment_intent", 0), to("payment_link", 10, "payment_link"), to("subscription", 0, "subscription"),
				to("setup_intent", 0, "setup_intent")},
			lists:  map[string]embedded{"line_items": list("^", "/v1/checkout/sessions/%s/line_items", "session_item")},
			events: events{"", "checkout.session.completed", ""}},
		{name: "session_item", object: "item", prefix: "li_", parent: "checkout.session", few: [2]int{1, 4}, many: 13, timeless: true,
			relations: []relation{to("price", 100, "price")}},
		{name: "payment_link", prefix: "plink_", n: 5, timeless: true,
			lists:  map[string]embedded{"line_items": list("^", "/v1/payment_links/%s/line_items", "payment_link_item")},
			events: events{"payment_link.created", "payment_link.updated", ""}},
		{name: "payment_link_item", object: "item", prefix: "li_", parent: "payment_link", few: [2]int{1, 4}, many: 13, timeless: true,
			relations: []relation{to("price", 100, "price")}},
	}
}

func connectKinds() []kind {
	return []kind{
		{name: "account", prefix: "acct_", idLength: 16, n: 3,
			lists: map[string]embedded{
				"external_accounts": list("^", "/v1/accounts/%s/external_accounts", "account_bank_account", "account_card"),
			},
			events: events{"", "account.updated", ""}},
		{name: "capability", parent: "account", parentField: "account", few: [2]int{2, 4}, many: 6, timeless: true,
			ids: []string{"card_payments", "transfers", "sepa_debit_payments", "us_bank_account_ach_payments", "klarna_payments",
				"ideal_payments"},
			events: events{"", "capability.updated", ""}},
		{name: "account_bank_account", object: "bank_account", prefix: "ba_", parent: "account", parentField: "account",
			few: [2]int{1, 2}, many: 3, timeless: true, deletable: true, events: externalAccountEvents()},
		{name: "account_card", object: "card", prefix: "card_", parent: "account", parentField: "account", few: [2]int{0, 1}, many: 12,
			timeless: true, deletable: true, events: externalAccountEvents()},
		{name: "person", prefix: "person_", parent: "account", parentField: "account", few: [2]int{1, 3}, many: 13, deletable: true,
			events: events{"person.created", "person.updated", "person.deleted"}},
	}
}

func externalAccountEvents() events {
	return events{"account.external_account.created", "account.external_account.updated", "account.external_account.deleted"}
}

func issuingKinds() []kind {
	return []kind{
		{name: "issuing.cardholder", prefix: "ich_", n: 5, events: events{"issuing_cardholder.created", "issuing_cardholder.updated", ""}},
		{name: "issuing.physical_bundle", prefix: "ics_", idLength: 14, n: 2, timeless: true},
		{name: "issuing.personalization_design", prefix: "ipcd_", idLength: 14, n: 2, eventsSince: dahlia,
			events:    events{"", "issuing_personalization_design.activated", ""},
			relations: []relation{to("physical_bundle", 100, "issuing.physical_bundle")}},
		{name: "issuing.card", prefix: "ic_", n: 8,
			relations: []relation{to("cardholder", 100, "issuing.cardholder"), to("personalization_design", 30, "issuing.personalization_design"),
				to("replaced_by", 0, "issuing.card"), to("replacement_for", 0, "issuing.card")},
			events: events{"issuing_card.created", "issuing_card.updated", ""}},
		{name: "issuing.token", prefix: "intok_", n: 8, relations: []relation{to("card", 100, "issuing.card")},
			events: events{"issuing_token.created", "issuing_token.updated", ""}},
		{name: "issuing.authorization", prefix: "iauth_", n: 15,
			relations: []relation{to("card", 100, "issuing.card"), via("cardholder", "card", 0), to("token", 0, "issuing.token")},
			events:    events{"issuing_authorization.created", "issuing_authorization.updated", ""}},
		{name: "issuing.transaction", prefix: "ipi_", n: 15,
			relations: []relation{to("authorization", 90, "issuing.authorization"), via("card", "authorization", 100, "issuing.card"),
				via("cardholder", "card", 0), to("dispute", 0, "issuing.dispute"), to("token", 0, "issuing.token"),
				to("balance_transaction", 0, "balance_transaction")},
			events: events{"issuing_transaction.created", "issuing_transaction.updated", ""}},
		{name: "issuing.dispute", prefix: "idp_", n: 4, relations: []relation{to("transaction", 100, "issuing.transaction")},
			events: events{"issuing_dispute.created", "issuing_dispute.updated", ""}},
		{name: "issuing.settlement", prefix: "ise_", n: 3},
	}
}

func treasuryKinds() []kind {
	// Every flow belongs to a financial account and has a transaction in it.
	flow := func(name, prefix string, updated string, more ...relation) kind {
		return kind{name: name, prefix: prefix, n: 6, events: events{name + ".created", updated, ""},
			relations: append([]relation{to("financial_account", 100, "treasury.financial_account"),
				to("transaction", 100, "treasury.transaction")}, more...)}
	}
	return []kind{
		{name: "treasury_payment_method", object: "payment_method", prefix: "pm_", n: 3,
			relations: []relation{to("customer", 0, "customer")}},
		{name: "treasury.financial_account", prefix: "fa_", n: 2,
			events: events{"treasury.financial_account.created", "treasury.financial_account.features_status_updated", ""}},
		{name: "treasury.transaction", prefix: "trxn_", n: 12,
			relations: []relation{to("financial_account", 100, "treasury.financial_account")},
			lists: map[string]embedded{
				"entries": list("^", "/v1/treasury/transaction_entries?transaction=%s", "treasury.transaction_entry")}},
		{name: "treasury.transaction_entry", prefix: "trxne_", parent: "treasury.transaction", parentField: "transaction", few: [2]int{1, 2}, many: 12,
			relations: []relation{via("financial_account", "^", 0)}},
		flow("treasury.received_credit", "rc_", "treasury.received_credit.succeeded"),
		flow("treasury.received_debit", "rd_", ""),
		flow("treasury.credit_reversal", "credrev_", "treasury.credit_reversal.posted", to("received_credit", 100, "treasury.received_credit")),
		flow("treasury.debit_reversal", "debrev_", "treasury.debit_reversal.completed", to("received_debit", 100, "treasury.received_debit")),
		flow("treasury.inbound_transfer", "ibt_", "treasury.inbound_transfer.succeeded"),
		flow("treasury.outbound_payment", "obp_", "treasury.outbound_payment.posted", to("customer", 70, "customer")),
		flow("treasury.outbound_transfer", "obt_", "treasury.outbound_transfer.posted"),
	}
}
