package stripetest

import (
	"fmt"
	"slices"
	"sort"
)

// candidates are the objects from which a list selects, oldest first.
type candidates struct {
	store    *store
	ordinals []int32
	// refs is set instead of ordinals if a list holds several kinds.
	refs []ref
}

func (c *candidates) len() int { return len(c.ordinals) + len(c.refs) }

func (c *candidates) at(i int) ref {
	if c.refs != nil {
		return c.refs[i]
	}
	return ref{c.store, c.ordinals[i]}
}

// find returns the position of an object.
func (c *candidates) find(t ref) (int, bool) {
	if c.refs != nil {
		i := slices.Index(c.refs, t)
		return i, i >= 0
	}
	if c.store.parent == nil && t.store == c.store {
		return slices.BinarySearchFunc(c.ordinals, t.ordinal, c.store.before)
	}
	i := slices.Index(c.ordinals, t.ordinal)
	return i, i >= 0 && t.store == c.store
}

// candidates returns the objects of a list before filtering.
func (a *Account) candidates(q *query, parent *ref) candidates {
	s := a.stores[q.route.kinds[0]]
	switch {
	case q.empty:
		return candidates{store: s}
	case parent != nil && len(q.route.kinds) > 1:
		refs := []ref{}
		for _, name := range q.route.kinds {
			kind := a.stores[name]
			for _, ordinal := range kind.children(parent.ordinal, parent.store.revision(parent.ordinal)) {
				refs = append(refs, ref{kind, ordinal})
			}
		}
		// The kinds are listed one after another, and the list is read from its end.
		slices.SortStableFunc(refs, func(a, b ref) int { return b.store.kindNumber() - a.store.kindNumber() })
		return candidates{refs: refs}
	case parent != nil:
		return candidates{store: s, ordinals: s.pointing(q.route.by, *parent)}
	case q.pointsTo != nil && len(q.route.kinds) > 1:
		// Without a customer, /v1/payment_methods lists those of Treasury flows. With one, it lists the customer's
		// (https://docs.stripe.com/api/payment_methods/list).
		s = a.stores[q.route.kinds[1]]
		return candidates{store: s, ordinals: s.pointing("^", *q.pointsTo)}
	case q.pointsTo != nil && q.relation == "payout":
		return candidates{store: s, ordinals: a.paidOut(*q.pointsTo)}
	case q.pointsTo != nil:
		return candidates{store: s, ordinals: s.pointing(q.relation, *q.pointsTo)}
	}
	ordinals := s.all()
	if s.parent != nil && !s.kind.timeless {
		slices.SortStableFunc(ordinals, s.before)
	}
	return candidates{store: s, ordinals: ordinals}
}

// page returns the items of one page, newest first.
func (a *Account) page(q *query, parent *ref) (items []ref, more bool, err *apiError) {
	c := a.candidates(q, parent)
	low, high := a.span(q, &c)
	if q.after != "" || q.before != "" {
		at, err := a.cursor(q, &c)
		if err != nil {
			return nil, false, err
		}
		if q.inclusive && q.after != "" {
			at++
		}
		if q.after != "" {
			high = min(high, at)
		} else {
			low = max(low, at+1)
		}
	}
	now := a.stripe.now()
	limit := q.limit
	if q.route.unpaged {
		limit = c.len()
	}
	for n := range high - low {
		i := high - 1 - n
		if q.before != "" {
			i = low + n
		}
		if t := c.at(i); t.store.isVisible(t.ordinal, now) && q.accepts(t) {
			if len(items) == limit {
				more = true
				break
			}
			items = append(items, t)
		}
	}
	if q.before != "" {
		slices.Reverse(items)
	}
	return items, more, nil
}

// isVisible reports whether an object is visible in lists.
func (s *store) isVisible(ordinal int32, now int64) bool {
	if s.kind.name == "event" {
		return s.account.events[ordinal].visible <= now
	}
	return s.listed(ordinal, now)
}

func (q *query) accepts(t ref) bool {
	for _, match := range q.matches {
		if !match(t) {
			return false
		}
	}
	return true
}

// span returns the half-open range of positions whose creation time fits the query. Objects created in the future are not
// visible yet, and events disappear after their retention.
func (a *Account) span(q *query, c *candidates) (low, high int) {
	if c.refs != nil || c.store.kind.timeless && c.store.parent != nil {
		return 0, c.len()
	}
	b, now := q.created, a.stripe.now()
	b.to = min(b.to, now)
	if c.store.kind.name == "event" {
		b.from = max(b.from, now-int64(Retention.Seconds()))
	}
	time := func(i int) int64 { return int64(c.store.time(c.ordinals[i])) }
	low = sort.Search(c.len(), func(i int) bool { return time(i) >= b.from })
	high = sort.Search(c.len(), func(i int) bool { return time(i) > b.to })
	return low, max(low, high)
}

// cursor returns the position of the object named by starting_after or ending_before.
func (a *Account) cursor(q *query, c *candidates) (int, *apiError) {
	id, param := q.after, "starting_after"
	if q.before != "" {
		id, param = q.before, "ending_before"
	}
	for _, name := range q.route.kinds {
		s := a.stores[name]
		t, ok := a.findBelow(s, id, c)
		if !ok {
			continue
		}
		if s.kind.name == "event" && int64(s.time(t.ordinal)) < a.stripe.now()-int64(Retention.Seconds()) {
			return 0, invalid(param, "resource_missing", fmt.Sprintf("The event %s is no longer available because it's aged out of our retention policy.", id))
		}
		if at, ok := c.find(t); ok && q.accepts(t) {
			return at, nil
		}
	}
	return 0, noSuchCursor(a.stores[q.route.kinds[0]].kind.object, id, param)
}

// findBelow finds an object by id. Children of different parents may have the same id, so it looks among the candidates.
func (a *Account) findBelow(s *store, id string, c *candidates) (ref, bool) {
	if s.kind.ids == nil || s.parent == nil {
		return s.find(id)
	}
	for i := range c.len() {
		if t := c.at(i); t.store.id(t.ordinal) == id {
			return t, true
		}
	}
	return ref{}, false
}
