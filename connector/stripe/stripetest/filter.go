package stripetest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// filters converts the endpoint's parameters to conditions.
func (q *query) filters(a *Account, values url.Values) *apiError {
	k := a.stores[q.route.kinds[0]].kind
	for i := range q.route.params {
		p := &q.route.params[i]
		given := values.Has(p.name)
		value := values.Get(p.name)
		switch r := k.relation(p.name); {
		case r != nil && given:
			if err := q.point(a, k, r, p.name, value); err != nil {
				return err
			}
		case p.shape == "range":
			if err := q.within(p.name, values); err != nil {
				return err
			}
		case q.route.search || strings.HasPrefix(q.route.path, "/v1/events"):
		case p.name == "start_time" || p.name == "end_time" || p.name == "value_grouping_window":
		case p.name == "ids":
			if ids := array(values, "ids"); len(ids) > 0 {
				q.match(func(t ref) bool { return slices.Contains(ids, t.store.id(t.ordinal)) })
			}
		case given && p.name == "price" && k.name == "subscription":
			q.match(func(t ref) bool { return hasItem(a, t, value) })
		case given:
			q.equal(p, value)
		}
	}
	return q.defaults(a, values)
}

func (q *query) match(f func(ref) bool) { q.matches = append(q.matches, f) }

// point keeps objects that point to the object with the given id, which must exist.
func (q *query) point(a *Account, k *kind, r *relation, param, id string) *apiError {
	target, ok := a.find(id)
	if !ok || !target.store.isAlive(target.ordinal) || !target.store.retrievable(target.ordinal, a.stripe.now()) {
		return missing(http.StatusBadRequest, strings.ReplaceAll(param, "_", " "), id, param)
	}
	field := r.field
	if k.parent != "" && r.via == "^" && r.take == "" {
		field = "^"
	}
	if field == "payout" && !target.isAutomatic() {
		return invalid(param, "", "Balance transaction history can only be filtered on automatic transfers, not manual.")
	}
	if q.pointsTo == nil && (k.parent == "" || field == "^") {
		q.pointsTo, q.relation = &target, field
		return nil
	}
	q.match(func(t ref) bool {
		found, ok := t.store.resolve(t.ordinal, r)
		return ok && found == target
	})
	return nil
}

// within keeps objects whose timestamp is in a range. null is in no range.
func (q *query) within(name string, values url.Values) *apiError {
	b, err := parseRange(name, values)
	if err != nil || b == unbounded() {
		return err
	}
	q.match(func(t ref) bool {
		at, ok := t.number(name)
		return ok && b.contain(at)
	})
	return nil
}

// number returns a top-level integer property of an object.
func (t ref) number(name string) (int64, bool) {
	t.store.shape.build()
	for _, f := range t.store.shape.current[t.store.variant(t.ordinal, t.store.revision(t.ordinal))].root.fields {
		if f.name != name {
			continue
		}
		r := renderer{model: t.store.account.stripe.model}
		if f.value.slot != nil {
			r.fill(t, 0, nil, -1, f.value.slot)
		} else {
			r.buf = append(r.buf, f.value.text...)
		}
		n, err := strconv.ParseInt(string(r.buf), 10, 64)
		return n, err == nil
	}
	return 0, false
}

// equal keeps objects whose property has the value. Properties that do not depend on the variant are compared as rendered.
func (q *query) equal(p *param, value string) {
	if value == "all" || p.shape == "object" || p.name == "order_by" {
		return
	}
	q.match(func(t ref) bool {
		if p.name == "object" {
			return t.store.kind.object == value
		}
		text := t.text(p.name)
		return text == value || text == quoted(value).text
	})
}

// text returns the JSON text of a top-level scalar, or "".
func (t ref) text(name string) string {
	t.store.shape.build()
	for _, f := range t.store.shape.current[t.store.variant(t.ordinal, t.store.revision(t.ordinal))].root.fields {
		if f.name == name && f.value.slot != nil {
			r := renderer{now: t.store.account.stripe.now(), model: t.store.account.stripe.model}
			r.fill(t, t.store.revision(t.ordinal), nil, -1, f.value.slot)
			return string(r.buf)
		}
	}
	return t.scalar(name)
}

// hasItem reports whether a subscription has an item with the given price.
func hasItem(a *Account, t ref, price string) bool {
	items := a.stores["subscription_item"]
	for _, ordinal := range items.children(t.ordinal, t.store.revision(t.ordinal)) {
		if p, ok := items.resolve(ordinal, items.kind.relation("price")); ok && p.store.id(p.ordinal) == price {
			return true
		}
	}
	return false
}

// defaults excludes objects that Stripe lists only on request, and applies the filters that need code.
func (q *query) defaults(a *Account, values url.Values) *apiError {
	if q.route.param("test_clock") != nil && !values.Has("test_clock") {
		q.match(func(t ref) bool {
			clock, ok := t.store.resolve(t.ordinal, t.store.kind.relation("test_clock"))
			return !ok || !clock.store.isAlive(clock.ordinal)
		})
	}
	switch q.route.path {
	case "/v1/subscriptions", "/v1/customers/{customer}/subscriptions":
		switch status := values.Get("status"); status {
		case "":
			q.match(func(t ref) bool { return !hiddenByDefault(t) })
		case "ended":
			q.matches = q.matches[:0]
			q.match(func(t ref) bool { s := t.scalar("status"); return s == `"canceled"` || s == `"incomplete_expired"` })
		}
	case "/v1/billing/meters/{id}/event_summaries":
		// https://docs.stripe.com/api/billing/meter-event-summary/list
		from, _ := strconv.ParseInt(values.Get("start_time"), 10, 64)
		to, _ := strconv.ParseInt(values.Get("end_time"), 10, 64)
		q.match(func(t ref) bool {
			return !values.Has("start_time") || bounds{from, to - 1}.contain(int64(t.store.time(t.ordinal)))
		})
	case "/v1/invoices/upcoming/lines", "/v1/credit_notes/preview/lines":
		// There is nothing to preview, so the preview is empty.
		q.empty = true
	case "/v1/tax_ids":
		owner := values.Get("owner[type]")
		q.empty = owner != "" && owner != "self"
	case "/v1/events":
		return q.eventTypes(a, values)
	}
	return nil
}

// eventTypes applies the parameters type and types (https://docs.stripe.com/api/events/list).
func (q *query) eventTypes(a *Account, values url.Values) *apiError {
	one, several := values.Get("type"), array(values, "types")
	switch {
	case one != "" && len(several) > 0:
		return invalid("type", "", "You may only specify one of these parameters: type, types.")
	case len(several) > 20:
		return invalid("types", "", fmt.Sprintf("Array types exceeded maximum 20 allowed elements (it has %d).", len(several)))
	case one != "":
		prefix, wildcard := strings.CutSuffix(one, "*")
		q.match(func(t ref) bool {
			kind := a.events[t.ordinal].kind
			return kind == one || wildcard && strings.HasPrefix(kind, prefix)
		})
	case len(several) > 0:
		q.match(func(t ref) bool { return slices.Contains(several, a.events[t.ordinal].kind) })
	}
	return nil
}
