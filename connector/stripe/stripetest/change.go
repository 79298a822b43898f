package stripetest

import "fmt"

// Update changes an object now, and emits an event if Stripe has one for it. The change is visible as metadata.revision, or in
// other properties if the object has no metadata; fields request particular values. Changing an embedded object without
// events of its own, such as an invoice line, changes the object that embeds it and everything else embedded there.
func (a *Account) Update(id string, fields ...Fields) error {
	a.stripe.lock.Lock()
	defer a.stripe.lock.Unlock()
	t, err := a.living("update", id)
	if err != nil {
		return err
	}
	return a.update(t, fields)
}

// living returns the object with the given id, unless it was deleted.
func (a *Account) living(verb, id string) (ref, error) {
	t, ok := a.find(id)
	if !ok || !t.store.isAlive(t.ordinal) {
		return ref{}, fmt.Errorf("%s: no such object: %q", verb, id)
	}
	return t, nil
}

func (a *Account) update(t ref, fields []Fields) error {
	variant, links, err := t.store.readFields(merge(fields))
	if err != nil {
		return fmt.Errorf("update %s: %w", t.store.id(t.ordinal), err)
	}
	if len(links) > 0 {
		return fmt.Errorf("update %s: relations do not change", t.store.id(t.ordinal))
	}
	t.store.revise(t.ordinal, variant)
	if variant >= 0 && t.store.kind.isTied() {
		t.store.parent.revise(t.ordinal/stride, -1)
	}
	now := uint32(a.stripe.now())
	a.announceThrough(t, t.store.kind.throughEvents.updated, now)
	a.announce(t, "", now)
	return nil
}

// Delete deletes an object now, and emits an event if Stripe has one for it. A subscription is canceled instead and continues
// to exist (https://docs.stripe.com/api/subscriptions/cancel). Objects that belong to a deleted object are deleted too, except
// that a customer's subscriptions are canceled.
func (a *Account) Delete(id string) error {
	a.stripe.lock.Lock()
	defer a.stripe.lock.Unlock()
	t, err := a.living("delete", id)
	if err != nil {
		return err
	}
	return a.delete(t)
}

func (a *Account) delete(t ref) error {
	now := uint32(a.stripe.now())
	if t.store.kind.name == "subscription" {
		return a.cancel(t, now)
	}
	if !t.store.kind.deletable {
		return fmt.Errorf("delete %s: Stripe does not delete objects of type %s", t.store.id(t.ordinal), t.store.kind.object)
	}
	if t.store.kind.name == "test_helpers.test_clock" {
		customers := a.stores["customer"]
		for _, ordinal := range customers.pointing("test_clock", t) {
			if err := a.delete(ref{customers, ordinal}); err != nil {
				return err
			}
		}
	}
	if t.store.kind.name == "customer" {
		subscriptions := a.stores["subscription"]
		for _, ordinal := range subscriptions.pointing("customer", t) {
			if err := a.cancel(ref{subscriptions, ordinal}, now); err != nil {
				return err
			}
		}
	}
	a.remove(t, now)
	return nil
}

func (a *Account) remove(t ref, now uint32) {
	s := t.store
	if s.parent == nil {
		s.changes.dead[t.ordinal] = 0
		s.remove(t.ordinal)
		a.emit(s.kind.events.deleted, t, s.revision(t.ordinal), now)
		return
	}
	parent := ref{s.parent, t.ordinal / stride}
	if !s.kind.isTied() {
		s.changes.dead[t.ordinal] = 0
		a.emit(s.kind.events.deleted, t, s.revision(t.ordinal), now)
		return
	}
	parent.store.revise(parent.ordinal, -1)
	s.changes.dead[t.ordinal] = parent.store.revision(parent.ordinal)
	a.announce(parent, "", now)
	a.emit(s.kind.events.deleted, t, s.revision(t.ordinal), now)
}

// cancel cancels a subscription, unless it is already canceled.
func (a *Account) cancel(t ref, now uint32) error {
	if t.scalar("status") == `"canceled"` {
		return nil
	}
	variant, _, err := t.store.readFields(Fields{"status": "canceled"})
	if err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	t.store.revise(t.ordinal, variant)
	a.announce(t, t.store.kind.events.deleted, now)
	return nil
}
