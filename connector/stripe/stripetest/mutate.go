package stripetest

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Fields are the top-level properties of an object to create or change. {"status": "canceled"} selects a variant of the object
// that has this status, {"customer": "cus_…"} makes a new object belong to that customer, and {"id": "…"} sets the id of a
// new object, of any length.
type Fields map[string]any

// Create creates an object now, emits its event if Stripe has one, and returns its id. The path is that of a list, below the
// parent's id if it has one: "/v1/charges", "/v1/invoices/in_…/lines". A new subscription has at least one item; a new
// invoice has no lines yet.
func (a *Account) Create(path string, fields ...Fields) (string, error) {
	a.stripe.lock.Lock()
	defer a.stripe.lock.Unlock()
	return a.createIn(path, fields)
}

func (a *Account) createIn(path string, fields []Fields) (string, error) {
	end, ids := a.stripe.model.match(splitPath(path))
	if end == nil || end.single || end.route.search {
		return "", fmt.Errorf("create: %q is not the path of a list", path)
	}
	s := a.stores[end.route.kinds[0]]
	merged := merge(fields)
	if len(ids) > 0 {
		merged[back(end.route)] = ids[0]
	}
	t, err := a.create(s, merged)
	if err != nil {
		return "", fmt.Errorf("create in %q: %w", path, err)
	}
	return s.id(t.ordinal), nil
}

// back returns the property that points to the parent named in the path.
func back(r *route) string { return r.by }

func merge(list []Fields) Fields {
	all := Fields{}
	for _, fields := range list {
		for name, v := range fields {
			all[name] = v
		}
	}
	return all
}

func (a *Account) create(s *store, fields Fields) (ref, error) {
	if s.kind.ids != nil || s.kind.name == "event" || s.kind.name == "account" || s.kind.name == ownAccount {
		return ref{}, fmt.Errorf("%s objects cannot be created", s.kind.object)
	}
	id, chosen := fields["id"].(string)
	if _, taken := a.find(id); chosen && (taken || id == "") {
		return ref{}, fmt.Errorf("the id %q is not free", id)
	}
	delete(fields, "id")
	variant, links, err := s.readFields(fields)
	if err != nil {
		return ref{}, err
	}
	now := uint32(a.stripe.now())
	var t ref
	if s.parent == nil {
		t = ref{s, s.insert(now)}
		s.link(t.ordinal, links)
	} else {
		parent, ok := links["^"]
		if p, named := links[s.kind.parentField]; named && !ok {
			parent, ok = p, true
		}
		if !ok {
			return ref{}, fmt.Errorf("%s needs its %s", s.kind.object, s.kind.parent)
		}
		if t, err = s.addChild(parent, now); err != nil {
			return ref{}, err
		}
	}
	if chosen {
		s.choose(t.ordinal, id)
	}
	if variant >= 0 {
		s.changes.pinned[t.ordinal] = variant
	}
	s.appear(t.ordinal, now)
	a.announceCreation(t, now)
	return t, nil
}

// link fixes the relations of a new object for good.
func (s *store) link(ordinal int32, given map[string]ref) {
	links := map[string]ref{}
	s.changes.links[ordinal] = links
	for name, target := range given {
		links[name] = target
	}
	for i := range s.kind.relations {
		r := &s.kind.relations[i]
		if _, ok := links[r.field]; ok {
			continue
		}
		if r.given {
			links[r.field] = ref{}
			continue
		}
		target, ok := s.resolve(ordinal, r)
		for attempt := uint64(1); ok && !target.store.isAlive(target.ordinal) && r.via == "" && attempt < 50; attempt++ {
			target, ok = s.pick(ordinal, r, attempt)
		}
		if !ok {
			target = ref{}
		}
		links[r.field] = target
	}
}

// addChild adds a child to a parent. A tied child becomes visible with a new revision of its parent.
func (s *store) addChild(parent ref, now uint32) (ref, error) {
	if parent.store != s.parent || !parent.store.isAlive(parent.ordinal) {
		return ref{}, fmt.Errorf("no such %s", s.kind.parent)
	}
	since := parent.store.revision(parent.ordinal)
	n := s.count(parent.ordinal, since)
	if n >= stride || s.kind.sole && len(s.children(parent.ordinal, since)) > 0 {
		return ref{}, fmt.Errorf("%s has %d objects of type %s, the most that it can have", parent.store.id(parent.ordinal), n, s.kind.object)
	}
	if s.kind.isTied() {
		parent.store.revise(parent.ordinal, -1)
		since++
	}
	s.changes.added[parent.ordinal] = append(s.changes.added[parent.ordinal], since)
	t := ref{s, parent.ordinal*stride + n}
	s.changes.addedAt[t.ordinal] = now
	return t, nil
}

// announceCreation emits the event for a creation, or for the change that it makes to another object.
func (a *Account) announceCreation(t ref, now uint32) {
	s := t.store
	a.announceReconciliation(t)
	switch {
	case s.kind.through != "":
		a.announceThrough(t, s.kind.throughEvents.created, now)
	case s.kind.isTied():
		a.announce(ref{s.parent, t.ordinal / stride}, childEvent(s.kind.name), now)
		a.emit(s.kind.events.created, t, s.revision(t.ordinal), now)
	default:
		a.emit(s.kind.events.created, t, s.revision(t.ordinal), now)
	}
}

// announceThrough updates the object whose events announce t, makes t the newest of its kind there, and emits the event.
func (a *Account) announceThrough(t ref, kind string, now uint32) {
	if kind == "" {
		return
	}
	teller, ok := t.store.resolve(t.ordinal, t.store.kind.relation(t.store.kind.through))
	if !ok || !teller.store.isAlive(teller.ordinal) {
		return
	}
	for i := range teller.store.kind.relations {
		r := &teller.store.kind.relations[i]
		if r.newest != t.store.kind.through || r.kinds[0] != t.store.kind.name {
			continue
		}
		if latest, ok := teller.store.resolve(teller.ordinal, r); ok && latest.store.before(latest.ordinal, t.ordinal) > 0 {
			continue
		}
		if teller.store.changes.links[teller.ordinal] == nil {
			teller.store.changes.links[teller.ordinal] = map[string]ref{}
		}
		teller.store.changes.links[teller.ordinal][r.field] = t
	}
	teller.store.revise(teller.ordinal, -1)
	if wantEvent := teller.store.kind.events.updated; t.scalar("status") == `"succeeded"` && strings.HasSuffix(wantEvent, ".succeeded") {
		kind = wantEvent // for a setup attempt
	}
	a.emit(kind, teller, teller.store.revision(teller.ordinal), now)
}

// childEvent returns the parent's event for a new child of the given kind, or "" if that is the parent's update event.
func childEvent(kind string) string {
	return map[string]string{"transfer_reversal": "transfer.reversed", "fee_refund": "application_fee.refunded"}[kind]
}

// announce emits an event for an object's current revision. "" means its update event. A tied child uses its parent's.
func (a *Account) announce(t ref, kind string, now uint32) {
	for t.store.kind.isTied() {
		t = ref{t.store.parent, t.ordinal / stride}
	}
	if kind == "" {
		kind = t.store.kind.events.updated
	}
	a.emit(kind, t, t.store.revision(t.ordinal), now)
}

// revise adds a revision. If variant is negative, the object keeps its variant, or takes another one if it has no metadata in
// which to show the change. A tied child revises its parent instead.
func (s *store) revise(ordinal int32, variant int) {
	if s.kind.isTied() && variant < 0 {
		s.parent.revise(ordinal/stride, variant)
		return
	}
	next := s.variant(ordinal, s.revision(ordinal))
	switch {
	case variant >= 0:
		next = variant
	case !s.shape.hasMetadata():
		next = (next + 1) % len(s.shape.current)
	}
	s.changes.revisions[ordinal] = append(s.changes.revisions[ordinal], revision{next})
}

// readFields converts fields to a variant (-1 for any) and relations.
func (s *store) readFields(fields Fields) (int, map[string]ref, error) {
	s.shape.build()
	links, wanted := map[string]ref{}, map[string]string{}
	for name, v := range fields {
		if r := s.kind.relation(name); r != nil {
			id, _ := v.(string)
			target, ok := s.account.find(id)
			if !ok || !target.store.isAlive(target.ordinal) {
				return 0, nil, fmt.Errorf("%s: no such object: %q", name, id)
			}
			links[name] = target
			continue
		}
		text, err := json.Marshal(v)
		if err != nil {
			return 0, nil, fmt.Errorf("%s: %w", name, err)
		}
		wanted[name] = string(text)
	}
	if len(wanted) == 0 {
		return -1, links, nil
	}
	for i, v := range s.shape.current {
		if fits(v.scalars, wanted) {
			return i, links, nil
		}
	}
	return 0, nil, fmt.Errorf("no %s looks like %v", s.kind.object, fields)
}

func fits(scalars, wanted map[string]string) bool {
	for name, text := range wanted {
		if scalars[name] != text {
			return false
		}
	}
	return true
}

func splitPath(path string) []string { return strings.Split(strings.Trim(path, "/"), "/") }
