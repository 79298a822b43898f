package stripetest

import (
	"slices"
	"strconv"
)

// event is everything about an event except its time, which its store holds.
type event struct {
	kind string
	// object and revision identify what the payload shows.
	object   ref
	revision int32
	// visible is when the event starts being listed, in Unix seconds.
	visible int64
	// old is the index of the payload's old shape, or -1.
	old int
	// version is the index of the account's version.
	version int
}

// initialEvents adds the creation event of every object created since the retention period before the start.
func (a *Account) initialEvents() {
	type creation struct {
		object ref
		at     uint32
	}
	since := a.stripe.started.Add(-Retention).Unix()
	var creations []creation
	for i := range a.stripe.model.kinds {
		s := a.stores[a.stripe.model.kinds[i].name]
		if s.kind.events.created == "" {
			continue
		}
		for _, ordinal := range s.all() {
			if at := s.time(ordinal); int64(at) >= since {
				creations = append(creations, creation{ref{s, ordinal}, at})
			}
		}
	}
	slices.SortStableFunc(creations, func(a, b creation) int { return int(int64(a.at) - int64(b.at)) })
	for _, c := range creations {
		a.emit(c.object.store.kind.events.created, c.object, 0, c.at)
	}
	for _, ordinal := range a.stores["payout"].all() {
		if t := (ref{a.stores["payout"], ordinal}); int64(t.store.time(ordinal))+reconciling >= since {
			a.announceReconciliation(t)
		}
	}
	a.stores["event"].initial = int32(len(a.events))
}

// emit adds an event, unless the kind is "", the account is silent, or its API version has no events about such objects.
func (a *Account) emit(kind string, object ref, revision int32, at uint32) {
	version := a.stripe.versions[len(a.stripe.versions)-1]
	if kind != "" && !a.silent && object.store.kind.eventsSince <= version {
		a.addEvent(kind, object, revision, at)
	}
}

// addEvent adds an event and returns it.
func (a *Account) addEvent(kind string, object ref, revision int32, at uint32) ref {
	s := a.stores["event"]
	ordinal := s.insert(at)
	e := event{kind: kind, object: object, revision: revision, visible: s.delayed(ordinal, 7, at, a.stripe.delays.Events)}
	e.old, e.version = a.stripe.oldShape(draw(s.seed, ordinal, 8)), len(a.stripe.versions)-1
	a.events = append(a.events, e)
	return ref{s, ordinal}
}

// eventValue returns the template of an event (https://docs.stripe.com/api/events/object).
func eventValue() value {
	payload := value{fields: []field{{name: "object", value: hole(slot{kind: slotEventObject})}}}
	return value{fields: []field{
		{name: "id", value: hole(slot{kind: slotID})},
		{name: "object", value: quoted("event")},
		{name: "api_version", value: hole(slot{kind: slotEventVersion})},
		{name: "created", value: hole(slot{kind: slotCreated})},
		{name: "data", value: payload},
		{name: "livemode", value: hole(slot{kind: slotLivemode})},
		{name: "pending_webhooks", value: literal("0")},
		{name: "request", value: hole(slot{kind: slotEventRequest})},
		{name: "type", value: hole(slot{kind: slotEventType})},
	}}
}

// event fills the slots of an event.
func (r *renderer) event(t ref, level int, s *slot) {
	e := &t.store.account.events[t.ordinal]
	switch s.kind {
	case slotEventType:
		r.buf = strconv.AppendQuote(r.buf, e.kind)
	case slotEventVersion:
		version := t.store.account.stripe.versions[e.version]
		if e.old >= 0 {
			version = t.store.account.stripe.oldShapes[e.old].Version
		}
		r.buf = strconv.AppendQuote(r.buf, version)
	case slotEventRequest:
		r.buf = append(r.buf, '{')
		r.property("id", deeper(level), false)
		r.buf = append(r.buf, "null"...)
		r.property("idempotency_key", deeper(level), true)
		r.buf = append(r.buf, "null"...)
		r.line(level)
		r.buf = append(r.buf, '}')
	case slotEventObject:
		if e.kind == e.object.store.kind.events.deleted {
			r.released = e.object.store.kind.released
		}
		r.payload(e, level)
		r.released = ""
	}
}
