package stripetest

// kinds returns the table of everything in the simulated Stripe. It is deliberately independent of the connector's table of
// streams, so the same mistake is unlikely to be in both.
func kinds() []kind {
	groups := [][]kind{customerKinds(), catalogKinds(), billingKinds(), paymentKinds(), balanceKinds(), checkoutKinds(),
		connectKinds(), issuingKinds(), treasuryKinds(), otherKinds(), kinds2026()}
	var all []kind
	for _, group := range groups {
		all = append(all, group...)
	}
	for i := range all {
		all[i].complete()
	}
	return all
}

// complete fills in the optional fields of a row.
func (k *kind) complete() {
	if k.object == "" {
		k.object = k.name
	}
	if k.idLength == 0 {
		k.idLength = 24
	}
	if k.parent != "" {
		k.relations = append(k.relations, relation{field: "^", kinds: []string{k.parent}, odds: 100})
		if k.parentField != "" {
			k.relations = append(k.relations, relation{field: k.parentField, via: "^"})
		}
	}
	for i := range k.relations {
		k.relations[i].salt = saltOf(k.relations[i].field)
	}
}

func customerKinds() []kind {
	return []kind{
		{name: "customer", prefix: "cus_", idLength: 14, n: 60, deletable: true,
			relations: []relation{to("test_clock", 0, "test_helpers.test_clock"), to("default_source", 0, "customer_card")},
			lists: map[string]embedded{
				"sources":       list("^", "/v1/customers/%s/sources", "customer_card", "customer_bank_account", "source"),
				"subscriptions": list("customer", "/v1/customers/%s/subscriptions", "subscription"),
				"tax_ids":       list("^", "/v1/customers/%s/tax_ids", "customer_tax_id"),
				"cash_balance":  one("cash_balance"),
				"discount":      one("customer_discount"),
			},
			events: events{"customer.created", "customer.updated", "customer.deleted"}},
		{name: "customer_card", object: "card", prefix: "card_", parent: "customer", parentField: "customer", few: [2]int{0, 1}, many: 3,
			timeless: true, deletable: true, events: customerSourceEvents()},
		{name: "customer_bank_account", object: "bank_account", prefix: "ba_", parent: "customer", parentField: "customer",
			few: [2]int{0, 1}, many: 2, timeless: true, deletable: true, events: customerSourceEvents()},
		{name: "source", prefix: "src_", parent: "customer", parentField: "customer", few: [2]int{0, 1}, many: 12, deletable: true,
			events: customerSourceEvents()},
		{name: "source_transaction", prefix: "srctxn_", parent: "source", parentField: "source", few: [2]int{0, 2}, many: 5,
			events: events{"source.transaction.created", "source.transaction.updated", ""}},
		{name: "customer_tax_id", object: "tax_id", prefix: "txi_", parent: "customer", parentField: "customer", few: [2]int{0, 1}, many: 3,
			deletable: true, events: events{"customer.tax_id.created", "customer.tax_id.updated", "customer.tax_id.deleted"}},
		{name: "tax_id", prefix: "txi_", n: 2, deletable: true, relations: []relation{to("customer", 0, "customer")}},
		{name: "payment_method", prefix: "pm_", parent: "customer", parentField: "customer", few: [2]int{0, 2}, many: 13, deletable: true,
			// https://docs.stripe.com/api/payment_methods/detach
			released: "customer", events: events{"payment_method.attached", "payment_method.updated", "payment_method.detached"}},
		{name: "customer_balance_transaction", prefix: "cbtxn_", parent: "customer", parentField: "customer", few: [2]int{0, 2}, many: 14,
			relations: []relation{to("invoice", 0, "invoice"), to("credit_note", 0, "credit_note")}},
		{name: "customer_cash_balance_transaction", prefix: "ccsbtxn_", parent: "customer", parentField: "customer", few: [2]int{0, 1}, many: 4,
			events: events{"customer_cash_balance_transaction.created", "customer_cash_balance_transaction.created", ""}},
		{name: "cash_balance", prefix: "cashbal_", parent: "customer", parentField: "customer", few: [2]int{1, 1}, many: 1, timeless: true, sole: true},
		{name: "customer_discount", object: "discount", prefix: "di_", parent: "customer", parentField: "customer", few: [2]int{0, 1}, many: 1,
			timeless: true, deletable: true, sole: true, events: discountEvents()},
		{name: "entitlements.active_entitlement", prefix: "ent_", parent: "customer", parentField: "customer", few: [2]int{0, 2}, many: 4,
			timeless: true},
	}
}

// discountEvents are emitted in addition to the event of the object that has the discount.
func discountEvents() events {
	return events{"customer.discount.created", "", "customer.discount.deleted"}
}

func customerSourceEvents() events {
	return events{"customer.source.created", "customer.source.updated", "customer.source.deleted"}
}

func catalogKinds() []kind {
	return []kind{
		{name: "product", prefix: "prod_", idLength: 14, n: 12, deletable: true, relations: []relation{to("default_price", 0, "price")},
			events: events{"product.created", "product.updated", "product.deleted"}},
		{name: "price", prefix: "price_", n: 30, deletable: true, relations: []relation{to("product", 100, "product")},
			events: events{"price.created", "price.updated", "price.deleted"}},
		{name: "plan", prefix: "plan_", idLength: 14, n: 16, chosen: true, deletable: true, relations: []relation{to("product", 100, "product")},
			events: events{"plan.created", "plan.updated", "plan.deleted"}},
		{name: "coupon", prefix: "coupon_", idLength: 14, n: 12, chosen: true, deletable: true,
			events: events{"coupon.created", "coupon.updated", "coupon.deleted"}},
		{name: "promotion_code", prefix: "promo_", n: 10,
			relations: []relation{to("coupon", 100, "coupon"), to("customer", 30, "customer")},
			events:    events{"promotion_code.created", "promotion_code.updated", ""}},
		{name: "tax_rate", prefix: "txr_", n: 6, events: events{"tax_rate.created", "tax_rate.updated", ""}},
		{name: "shipping_rate", prefix: "shr_", n: 4},
		{name: "tax_code", ids: taxCodes(), timeless: true},
		{name: "billing.meter", prefix: "mtr_", n: 3, eventsSince: dahlia, events: events{"billing.meter.created", "billing.meter.updated", ""}},
		{name: "billing.meter_event_summary", prefix: "mtrusg_", parent: "billing.meter", parentField: "meter", few: [2]int{1, 5}, many: 30,
			timeless: true, relations: []relation{to("customer", 100, "customer")}},
		{name: "entitlements.feature", prefix: "feat_", n: 4, timeless: true},
		{name: "tax.registration", prefix: "taxreg_", idLength: 14, n: 3},
		{name: "tax.calculation", prefix: "taxcalc_", n: 4, hidden: true},
		{name: "tax.calculation_line_item", prefix: "tax_li_", idLength: 14, parent: "tax.calculation", few: [2]int{1, 3}, many: 14,
			timeless: true},
		{name: "tax.transaction", prefix: "tax_", n: 4, hidden: true},
		{name: "tax.transaction_line_item", prefix: "tax_txli_", idLength: 14, parent: "tax.transaction", few: [2]int{1, 3}, many: 14,
			timeless: true},
	}
}

func taxCodes() []string {
	codes := []string{"txcd_00000000", "txcd_10000000", "txcd_10103000", "txcd_10103001", "txcd_10202000", "txcd_10401000",
		"txcd_20030000", "txcd_30011000", "txcd_35010000", "txcd_92010001", "txcd_99999999"}
	return codes
}
