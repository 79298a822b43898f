package stripetest

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Truth returns every object that a complete read of a list should find now, by id, as compact JSON, in list order. It includes
// canceled subscriptions, inactive prices and everything else that lists hide by default. It also includes objects that are
// unreadable now; see Unreadable. It has no client_secrets.
//
// The path is that of a list: "/v1/charges", "/v1/invoices/in_…/lines" for the lines of one invoice, or
// "/v1/invoices/{invoice}/lines" for those of all living invoices. Lists whose parent is a parameter, such as
// "/v1/subscription_items", are complete. The arguments in expand are expanded in each object
// (https://docs.stripe.com/expand): "tiers" of prices, for example.
//
// Truth panics if the path is not that of a list, or if an argument cannot be expanded. The loop body must not change the data.
func (a *Account) Truth(path string, expand ...string) iter.Seq2[string, json.RawMessage] {
	return a.TruthIn(APIVersion, path, expand...)
}

// TruthIn is like Truth, with the objects as they look in an API version.
func (a *Account) TruthIn(version, path string, expand ...string) iter.Seq2[string, json.RawMessage] {
	m := a.stripe.modelOf(version)
	r, ids := a.listRoute(path)
	e, err := m.parseExpansion(expand, m.objects(r), false)
	if err != nil {
		panic("stripetest: " + err.message)
	}
	return func(yield func(string, json.RawMessage) bool) {
		a.stripe.lock.RLock()
		defer a.stripe.lock.RUnlock()
		a.walk(r, ids, func(t ref, _ *ref) bool {
			r := &renderer{now: a.stripe.now(), live: a.stripe.options.Livemode, model: m}
			r.object(t, t.store.revision(t.ordinal), e, -1, false)
			return yield(t.store.id(t.ordinal), r.buf)
		})
	}
}

// listRoute returns the route of a list and the ids in its path. It panics if there is no such list.
func (a *Account) listRoute(path string) (*route, []string) {
	end, ids := a.stripe.model.match(splitPath(path))
	if end == nil || end.single || end.route.search {
		panic(fmt.Sprintf("stripetest: %q is not the path of a list", path))
	}
	return end.route, ids
}

// walk calls visit for each object of a list, in order, with the list's parent, if any. It stops when visit returns false.
func (a *Account) walk(r *route, ids []string, visit func(t ref, parent *ref) bool) {
	parents := []*ref{nil}
	if r.nested() {
		parents = nil
		for _, parent := range a.parents(r, ids[0]) {
			parents = append(parents, &parent)
		}
	}
	for _, parent := range parents {
		for _, t := range a.items(r, parent) {
			if !visit(t, parent) {
				return
			}
		}
	}
}

// items returns every item of a list.
func (a *Account) items(r *route, parent *ref) []ref {
	items, _, err := a.page(&query{route: r, created: unbounded(), limit: 1<<31 - 1}, parent)
	if err != nil {
		return nil
	}
	return items
}

// parents returns the parent with the given id, or all parents if the id is a placeholder.
func (a *Account) parents(r *route, id string) []ref {
	if !strings.HasPrefix(id, "{") {
		parent, err := a.parentOf(r, id)
		if err != nil {
			return nil
		}
		return []ref{parent}
	}
	kind := a.stores[r.kinds[0]].kind.parent
	if r.by != "^" {
		kind = a.stores[r.kinds[0]].kind.relation(r.by).kinds[0]
	}
	s := a.stores[kind]
	c := candidates{store: s, ordinals: s.all()}
	_, high := a.span(&query{created: unbounded()}, &c)
	var parents []ref
	for i := high - 1; i >= 0; i-- {
		parents = append(parents, c.at(i))
	}
	return parents
}

// Relation returns the id of the living object that an object belongs to or points to, or "" if there is none. It works even
// for relations that responses do not show, such as the "customer" of an active entitlement or of a billing meter's summary.
func (a *Account) Relation(id, field string) string {
	a.stripe.lock.RLock()
	defer a.stripe.lock.RUnlock()
	t, ok := a.find(id)
	if !ok {
		return ""
	}
	r := t.store.kind.relation(field)
	if r == nil {
		return ""
	}
	target, ok := t.store.resolve(t.ordinal, r)
	if !ok || !target.store.isAlive(target.ordinal) {
		return ""
	}
	return target.store.id(target.ordinal)
}

// Count returns the number of objects in Truth(path).
func (a *Account) Count(path string) int {
	n := 0
	for range a.Truth(path) {
		n++
	}
	return n
}

// Paths returns the paths of all lists, with their placeholders, except previews and searches.
func (a *Account) Paths() []string {
	var paths []string
	for i := range a.stripe.model.routes {
		r := &a.stripe.model.routes[i]
		if !r.search && !slices.Contains(paths, r.path) && !strings.HasSuffix(r.path, "/upcoming/lines") && !strings.HasSuffix(r.path, "/preview/lines") {
			paths = append(paths, r.path)
		}
	}
	return paths
}
