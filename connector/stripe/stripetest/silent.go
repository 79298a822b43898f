package stripetest

// Silent changes objects of an account without the events that Stripe should send.
type Silent struct{ account *Account }

// Silent returns an account handle whose changes emit no events.
func (a *Account) Silent() Silent { return Silent{a} }

// Create creates an object as [Account.Create] does, without an event.
func (s Silent) Create(path string, fields ...Fields) (id string, err error) {
	s.quietly(func() { id, err = s.account.createIn(path, fields) })
	return id, err
}

// Update changes an object as [Account.Update] does, without an event.
func (s Silent) Update(id string, fields ...Fields) (err error) {
	s.quietly(func() {
		var t ref
		if t, err = s.account.living("update", id); err == nil {
			err = s.account.update(t, fields)
		}
	})
	return err
}

// Delete deletes an object as [Account.Delete] does, without an event.
func (s Silent) Delete(id string) (err error) {
	s.quietly(func() {
		var t ref
		if t, err = s.account.living("delete", id); err == nil {
			err = s.account.delete(t)
		}
	})
	return err
}

func (s Silent) quietly(change func()) {
	s.account.stripe.lock.Lock()
	defer s.account.stripe.lock.Unlock()
	s.account.silent = true
	defer func() { s.account.silent = false }()
	change()
}
