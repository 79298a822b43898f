package stripetest

import "strconv"

// metadata writes up to two keys, and the revision if the object was changed.
func (r *renderer) metadata(t ref, revision int32, level int) {
	d := draw(t.store.seed, t.ordinal, 3)
	n := 0
	write := func(name string) {
		if n == 0 {
			r.buf = append(r.buf, '{')
		}
		r.property(name, deeper(level), n > 0)
		n++
	}
	if d&3 == 0 {
		write("order_id")
		r.buf = strconv.AppendUint(append(r.buf, '"'), d>>8&0xffffffff, 10)
		r.buf = append(r.buf, '"')
	}
	if d>>2&7 == 0 {
		write("note \\\"quoted\\\"")
		r.buf = append(r.buf, `"ünïcode ✓ \\ \/ end"`...)
	}
	if revision > 0 {
		write("revision")
		r.buf = strconv.AppendInt(append(r.buf, '"'), int64(revision), 10)
		r.buf = append(r.buf, '"')
	}
	if n == 0 {
		r.buf = append(r.buf, '{', '}')
		return
	}
	r.line(level)
	r.buf = append(r.buf, '}')
}

// amount writes an amount in the currency's smallest unit. A few are too large for a float64 to hold exactly.
func (r *renderer) amount(t ref) {
	d := draw(t.store.seed, t.ordinal, 4)
	switch {
	case d%2048 == 0:
		r.buf = append(r.buf, "9007199254740993"...)
	case d%16 == 0:
		r.buf = strconv.AppendUint(r.buf, 100_000+d>>32, 10)
	default:
		r.buf = strconv.AppendUint(r.buf, 50+(d>>32)%20_000, 10)
	}
}

// person writes an email address, a name or another personal text.
func (r *renderer) person(t ref, kind slotKind) {
	d := draw(t.store.seed, t.ordinal, 5)
	first := [...]string{"Jenny", "Zoë", "José", "Łukasz", "Anne-Marie", "O'Neil", "太郎", "Мария"}[d%8]
	plain := [...]string{"jenny", "zoe", "jose", "lukasz", "anne-marie", "oneil", "taro", "maria"}[d%8]
	r.buf = append(r.buf, '"')
	switch kind {
	case slotEmail:
		r.buf = append(r.buf, plain...)
		r.buf = append(r.buf, '+')
		r.buf = strconv.AppendUint(r.buf, d>>8&0xffffff, 10)
		r.buf = append(r.buf, "@example.com"...)
	case slotName:
		r.buf = append(r.buf, first...)
		r.buf = append(r.buf, " Rosen "...)
		r.buf = strconv.AppendUint(r.buf, d>>8&0xffff, 10)
	default:
		r.buf = appendBase62(r.buf, d>>8, 8)
		r.buf = append(r.buf, "-0001"...)
	}
	r.buf = append(r.buf, '"')
}

// ownership writes the ownership id of a Financial Connections account, for the account itself or one of its owners
// (https://docs.stripe.com/api/financial_connections/ownership).
func (r *renderer) ownership(t ref) {
	if t.store.parent != nil {
		t = ref{t.store.parent, t.ordinal / stride}
	}
	r.buf = append(r.buf, `"fcaowns_1`...)
	r.buf = append(appendBase62(r.buf, draw(t.store.seed, t.ordinal, 12), coreLength), '"')
}
