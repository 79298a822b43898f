package stripetest

import (
	"math"
	"strings"
)

// Account is the data of one Stripe account: the platform or a connected account. Its methods are safe for concurrent use.
type Account struct {
	stripe *Stripe
	id     string
	// tag is the part of long ids shared by all objects of the account.
	tag    string
	stores map[string]*store
	events []event
	silent bool // changes emit no events
	// replaced maps each failed payout to the one that paid out the same balance transactions again.
	replaced map[ref]ref
	// edits holds the changes made by Distort; nil if there are none.
	edits map[ref][]*distortion
}

// ownAccount is the kind of the platform's own account object.
const ownAccount = "own_account"

// ID returns the account's id, "acct_…".
func (a *Account) ID() string { return a.id }

// newAccount creates the initial data of an account.
func newAccount(s *Stripe, id string, seed uint64, connected int) *Account {
	a := &Account{stripe: s, id: id, tag: string(appendBase62(nil, mix(seed), tagLength)), stores: map[string]*store{}}
	for i := range s.model.kinds {
		k := &s.model.kinds[i]
		st := &store{account: a, kind: k, shape: s.model.shapes[k.name], seed: mix(seed ^ saltOf(k.name)), changes: newChanges(),
			indexes: map[string]*index{}, fixed: -1}
		a.stores[k.name] = st
		n, given := s.number(k)
		switch {
		case k.parent != "":
			if given {
				st.fixed = min(n, stride)
			}
			if len(k.ids) > 0 {
				st.fixed = min(len(k.ids), 4)
			}
		case k.name == "account":
			st.fill(connected)
		case k.sole:
			st.fill(1)
		case k.name != "event" && len(k.ids) > 0:
			st.fill(min(n, len(k.ids)))
		case k.name != "event":
			st.fill(n)
		}
	}
	for _, st := range a.stores {
		st.parent = a.stores[st.kind.parent]
	}
	a.initialEvents()
	return a
}

// fill creates the initial objects.
func (s *store) fill(n int) {
	s.created = times(&s.account.stripe.options, n, s.seed)
	s.initial = int32(n)
	s.order = make([]int32, n)
	for i := range s.order {
		s.order[i] = int32(i)
	}
}

// number returns how many objects of a kind exist initially (per parent, if it has one), and whether the options set it.
func (s *Stripe) number(k *kind) (int, bool) {
	for i := range s.model.routes {
		r := &s.model.routes[i]
		if r.kinds[0] == k.name {
			if n, ok := s.options.Objects[r.path]; ok {
				return n, true
			}
		}
	}
	if n, ok := s.options.Objects["*"]; ok && k.parent == "" {
		return n, true
	}
	if len(k.ids) > 0 {
		return len(k.ids), false
	}
	return int(math.Ceil(float64(k.n) * s.options.Scale)), false
}

// find returns the object with the given id, deleted or not.
func (a *Account) find(id string) (ref, bool) {
	for i := range a.stripe.model.kinds {
		k := &a.stripe.model.kinds[i]
		if k.ids == nil && !k.chosen && !strings.HasPrefix(id, k.prefix) && a.stores[k.name].changes.byID == nil {
			continue
		}
		if t, ok := a.stores[k.name].find(id); ok {
			return t, true
		}
	}
	return ref{}, false
}

// find returns the store's object with the given id, deleted or not.
func (s *store) find(id string) (ref, bool) {
	ordinal, ok := s.ordinal(id)
	if !ok || !s.existed(ordinal) {
		return ref{}, false
	}
	return ref{s, ordinal}, true
}

// existed reports whether an object exists or was deleted.
func (s *store) existed(ordinal int32) bool {
	if s.parent == nil {
		return int(ordinal) < len(s.created)
	}
	parent := ordinal / stride
	return s.parent.existed(parent) && ordinal%stride < s.count(parent, math.MaxInt32)
}

// embedded returns the objects of an embedded list of t, in list order.
func (a *Account) embedded(t ref, revision int32, l *embedded) []ref {
	var items []ref
	for _, name := range l.kinds {
		s := a.stores[name]
		var ordinals []int32
		if l.by == "^" {
			ordinals = s.children(t.ordinal, revision)
		} else {
			ordinals = s.pointing(l.by, t)
		}
		for i := len(ordinals) - 1; i >= 0; i-- {
			if item := (ref{s, ordinals[i]}); s.listed(item.ordinal, a.stripe.now()) && !hiddenByDefault(item) {
				items = append(items, item)
			}
		}
	}
	return items
}

// hiddenByDefault reports whether a list omits an object unless a status is given, as it does for canceled subscriptions
// (https://docs.stripe.com/api/subscriptions/list#list_subscriptions-status).
func hiddenByDefault(t ref) bool {
	return t.store.kind.name == "subscription" && t.scalar("status") == `"canceled"`
}

// scalar returns the JSON text of a top-level property that is determined by the object's variant, or "".
func (t ref) scalar(name string) string {
	t.store.shape.build()
	return t.store.shape.current[t.store.variant(t.ordinal, t.store.revision(t.ordinal))].scalars[name]
}

// variant returns the object's variant at the given revision.
func (s *store) variant(ordinal, revision int32) int {
	own := s.changes.revisions[ordinal]
	if n := min(int(revision), len(own)); n > 0 {
		return own[n-1].variant
	}
	if pinned, ok := s.changes.pinned[ordinal]; ok {
		return pinned
	}
	s.shape.build()
	salt := uint64(6)
	if revision > 0 && !s.shape.hasMetadata() {
		salt += uint64(revision) << 8
	}
	return int(draw(s.seed, ordinal, salt) % uint64(len(s.shape.current)))
}

// hasMetadata reports whether the objects show their revision in their metadata. Other objects change their variant instead.
func (s *shape) hasMetadata() bool { return s.schema.Properties["metadata"] != nil }
