package stripetest

// Silent changes an account's objects without the events that Stripe should emit.
type Silent struct{ account *Account }

// Silent returns a handle for changing the account without events.
func (a *Account) Silent() Silent { return Silent{a} }

// Create is like [Account.Create] but emits no event.
func (s Silent) Create(path string, fields ...Fields) (id string, err error) {
	s.silently(func() { id, err = s.account.createIn(path, fields) })
	return id, err
}

// Update is like [Account.Update] but emits no event.
func (s Silent) Update(id string, fields ...Fields) (err error) {
	s.silently(func() {
		var t ref
		if t, err = s.account.living("update", id); err == nil {
			err = s.account.update(t, fields)
		}
	})
	return err
}

// Delete is like [Account.Delete] but emits no event.
func (s Silent) Delete(id string) (err error) {
	s.silently(func() {
		var t ref
		if t, err = s.account.living("delete", id); err == nil {
			err = s.account.delete(t)
		}
	})
	return err
}

func (s Silent) silently(change func()) {
	s.account.stripe.lock.Lock()
	defer s.account.stripe.lock.Unlock()
	s.account.silent = true
	defer func() { s.account.silent = false }()
	change()
}
