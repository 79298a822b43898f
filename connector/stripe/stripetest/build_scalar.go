package stripetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// special generates the values that depend on the object or are determined by their name.
func (b *builder) special(full, name string, n *node) (value, bool) {
	top := full == name
	switch {
	case n.Const != "":
		return quoted(n.Const), true
	case top && name == "id":
		return hole(slot{kind: slotID}), true
	case name == "livemode":
		return hole(slot{kind: slotLivemode}), true
	case top && (name == "created" || name == "date" && n.Format == "unix-time"):
		return hole(slot{kind: slotCreated}), true
	case name == "metadata":
		if top {
			return hole(slot{kind: slotMetadata}), true
		}
		return value{}, true
	case b.kind.name == "balance_transaction" && name == "available_on":
		return hole(slot{kind: slotTime, delta: settling}), true
	case b.kind.name == "balance_transaction" && name == "status":
		return hole(slot{kind: slotSettled, delta: settling}), true
	case b.kind.name == "balance" && name == "currency":
		b.amounts++
		return quoted([]string{"usd", "eur", "gbp", "jpy"}[b.amounts%4]), true
	case b.kind.name == "payout" && full == "automatic":
		return literal(strconv.FormatBool(b.variant%4 != 3)), true
	case b.kind.name == "payout" && full == "reconciliation_status" && b.variant%4 == 3:
		return quoted("not_applicable"), true
	case b.kind.name == "payout" && full == "reconciliation_status":
		return hole(slot{kind: slotReconciled}), true
	case b.kind.name == "billing.meter_event_summary" && name == "start_time":
		return hole(slot{kind: slotTime}), true // a different one for each summary of a meter
	case b.kind.name == "billing.meter_event_summary" && name == "end_time":
		return hole(slot{kind: slotTime, delta: 24 * 3600}), true
	case top && name == "status" && b.status != "":
		return quoted(b.status), true
	case top && name == "type" && b.sort != "":
		return quoted(b.sort), true
	case strings.HasPrefix(b.kind.name, "financial_connections.account") && full == "ownership":
		return hole(slot{kind: slotOwnership}), true
	case b.kind.name == "charge" && (full == "paid" || full == "captured"):
		return literal(strconv.FormatBool(b.status == "succeeded")), true
	}
	return value{}, false
}

// settling is how long a balance transaction is pending, in seconds.
const settling = 3 * 24 * 3600

func (b *builder) integer(name string, n *node) value {
	if n.Format == "unix-time" {
		return hole(slot{kind: slotTime, delta: b.delta(name)})
	}
	if isAmount(name) {
		return hole(slot{kind: slotAmount})
	}
	switch {
	case strings.HasSuffix(name, "exp_month"), name == "month":
		return literal(strconv.Itoa(1 + b.rand.IntN(12)))
	case strings.HasSuffix(name, "exp_year"), name == "year":
		return literal(strconv.Itoa(2026 + b.rand.IntN(8)))
	case name == "day":
		return literal(strconv.Itoa(1 + b.rand.IntN(28)))
	}
	return literal(strconv.Itoa(b.rand.IntN(20)))
}

// delta returns how many seconds after the creation of its object a timestamp lies.
func (b *builder) delta(name string) int64 {
	const day = 24 * 3600
	for _, word := range []string{"end", "expires", "until", "due", "next", "arrival", "deletes_after", "cancel_at"} {
		if strings.Contains(name, word) {
			return day * int64(7+b.rand.IntN(360))
		}
	}
	return int64(b.rand.IntN(3600))
}

func isAmount(name string) bool {
	switch name {
	case "net", "total", "subtotal", "fee", "unit_amount", "total_excluding_tax", "subtotal_excluding_tax", "price":
		return true
	}
	return strings.HasPrefix(name, "amount") || strings.HasSuffix(name, "amount") || strings.HasPrefix(name, "amount_")
}

// text generates a string.
func (b *builder) text(name string, top bool, n *node) value {
	switch {
	case n.Format == "decimal":
		return quoted([]string{"0.5", "12.5", "999.99", "1200"}[b.rand.IntN(4)])
	case len(n.Examples) > 0:
		if i := slices.Index(n.Examples, "active"); i >= 0 && b.rand.IntN(2) == 0 {
			return quoted("active")
		}
		return quoted(n.Examples[b.rand.IntN(len(n.Examples))])
	case name == "email" || strings.HasSuffix(name, "_email"):
		return hole(slot{kind: slotEmail})
	case name == "name" && b.kind.object != "product" || name == "customer_name" || name == "cardholder_name":
		return hole(slot{kind: slotName})
	case top && name == "number":
		return hole(slot{kind: slotNumber})
	}
	return quoted(b.word(name))
}

// word generates a string to suit the name of its property.
func (b *builder) word(name string) string {
	pick := func(words ...string) string { return words[b.rand.IntN(len(words))] }
	switch {
	case strings.Contains(name, "currency"):
		return pick("usd", "usd", "eur", "gbp", "jpy")
	case strings.Contains(name, "country"), name == "nationality":
		return pick("US", "DE", "FR", "JP", "GB")
	case strings.HasSuffix(name, "url"), strings.HasSuffix(name, "website"):
		return fmt.Sprintf("https://example.com/%s/%d?a=1&b=%%20", name, b.rand.IntN(1000))
	case strings.Contains(name, "phone"):
		return fmt.Sprintf("+1555555%04d", b.rand.IntN(10000))
	case strings.HasPrefix(name, "last4"), strings.HasSuffix(name, "last4"):
		return fmt.Sprintf("%04d", b.rand.IntN(10000))
	case strings.Contains(name, "postal_code"):
		return fmt.Sprintf("%05d", b.rand.IntN(100000))
	case name == "city":
		return pick("München", "San Francisco", "東京", "São Paulo", "Łódź")
	case strings.Contains(name, "line1"):
		return pick("510 Townsend St", "Königsallee 1", "1-2-3 渋谷", "O'Connell Street 5")
	case name == "brand":
		return pick("visa", "mastercard", "amex")
	case name == "funding":
		return pick("credit", "debit", "prepaid")
	case strings.Contains(name, "description"), strings.Contains(name, "message"), name == "memo", name == "footer", name == "nickname",
		name == "name":
		return pick(descriptions()...)
	case strings.Contains(name, "fingerprint"), strings.Contains(name, "secret"):
		return string(appendBase62(nil, b.rand.Uint64(), 16))
	}
	return fmt.Sprintf("%s_%d", strings.TrimSuffix(name, "[]"), b.rand.IntN(100))
}

// descriptions returns texts that JSON writers and databases get wrong.
func descriptions() []string {
	return []string{"Subscription creation", "Payment for invoice", `He said "no" and left\`, "Zoë’s café ☕ — 10 % off", "line one\nline two\ttabbed",
		"👩‍👩‍👧 family plan", "<b>bold</b> & <script>alert(1)</script>", "עברית and العربية", "{\"id\": \"not_an_id\", \"created\": 1}",
		"a\u2028b\u00a0c\ufeff", "'; DROP TABLE charges; --", "trailing space ", "", "null", "0"}
}

// oldShape renames and omits properties to match older API versions (https://docs.stripe.com/upgrades#api-versions), and
// adds one that has since been removed.
func oldShape(object string, fields []field) []field {
	old := map[string]string{"customer.balance": "account_balance", "invoice.created": "date", "invoice.status_transitions": "",
		"charge.payment_method_details": "", "charge.billing_details": "", "subscription.default_payment_method": "",
		"price.type": "", "product.default_price": "", "payment_intent.latest_charge": ""}
	var shape []field
	for _, f := range fields {
		name, renamed := old[object+"."+f.name]
		if renamed && name == "" {
			continue
		}
		if renamed {
			f.name = name
		}
		shape = append(shape, f)
	}
	return append(shape, field{name: "statement_description", value: literal("null")})
}
