package stripetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// Traffic makes random changes to an account, fast enough for a busy one. The test's clock determines how many changes fall
// into a second. Its methods are safe for concurrent use.
//
//	traffic := stripe.Traffic(1, "/v1/charges", "/v1/customers", "/v1/invoices")
//	for range 140 { // in this second
//		traffic.Change()
//	}
type Traffic struct {
	account *Account
	stores  []*store
	random  *rand.Rand
}

// Traffic returns a source of changes to the lists with the given paths. Three of five changes are updates and three of ten are
// creations. The others are deletions, if Stripe supports them. The seed determines the changes. It panics if a path is
// not that of a list.
func (a *Account) Traffic(seed uint64, paths ...string) *Traffic {
	t := &Traffic{account: a, random: rand.New(rand.NewPCG(seed, 0x7aff1c))}
	for _, path := range paths {
		r, _ := a.listRoute(path)
		t.stores = append(t.stores, a.stores[r.kinds[0]])
	}
	if len(t.stores) == 0 {
		panic("stripetest: Traffic without a path")
	}
	return t
}

// Change makes one change, and returns the id of the changed object.
func (t *Traffic) Change() (id string, err error) {
	t.account.stripe.lock.Lock()
	defer t.account.stripe.lock.Unlock()
	s := t.stores[t.random.IntN(len(t.stores))]
	object, ok := t.pick(s)
	n := t.random.IntN(10)
	if !ok || n >= 6 && n < 9 {
		created, err := t.create(s)
		if err == nil || !ok {
			return s.id(created.ordinal), err
		}
		n = 0 // no more objects can be created
	}
	switch {
	case n == 9 && (s.kind.deletable || s.kind.name == "subscription"):
		err = t.account.delete(object)
	default:
		err = t.account.update(object, nil)
	}
	return s.id(object.ordinal), err
}

// Run makes perSecond changes per second of real time until ctx is done, and returns the number of changes.
func (t *Traffic) Run(ctx context.Context, perSecond float64) (n int, err error) {
	begin := time.Now()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for {
		for ; float64(n) < perSecond*time.Since(begin).Seconds(); n++ {
			if _, err := t.Change(); err != nil {
				return n, err
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return n, nil
		}
	}
}

// pick returns a living object.
func (t *Traffic) pick(s *store) (ref, bool) {
	if s.parent == nil {
		if len(s.order) == 0 {
			return ref{}, false
		}
		return ref{s, s.order[t.random.IntN(len(s.order))]}, true
	}
	for range 16 {
		parent, ok := t.pick(s.parent)
		if !ok {
			break
		}
		if children := s.children(parent.ordinal, parent.store.revision(parent.ordinal)); len(children) > 0 {
			return ref{s, children[t.random.IntN(len(children))]}, true
		}
	}
	return ref{}, false
}

func (t *Traffic) create(s *store) (ref, error) {
	if s.parent == nil {
		return t.account.create(s, nil)
	}
	parent, ok := t.pick(s.parent)
	if !ok {
		return ref{}, fmt.Errorf("create: no %s", s.kind.parent)
	}
	return t.account.create(s, Fields{"^": s.parent.id(parent.ordinal)})
}
