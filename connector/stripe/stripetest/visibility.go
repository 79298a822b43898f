package stripetest

import "time"

// Delays are the maximum delays before changes become visible. Each event and each object has its own delays, in whole seconds,
// determined by the seed. An event may be listed while its object is still missing from lists and its retrieval returns 404,
// or the other way round.
type Delays struct {
	// Events is the delay of events in the list of events.
	Events time.Duration
	// Lists is the delay of new objects in lists.
	Lists time.Duration
	// Retrieves is the delay of new objects when they are retrieved by id, and of the lists below them.
	Retrieves time.Duration
}

// SetDelays replaces Options.EventDelay, ObjectDelay and RetrieveDelay for everything that happens from now on.
func (s *Stripe) SetDelays(delays Delays) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.delays = delays
}

// visibility holds when an object created at run time becomes visible.
type visibility struct{ listed, retrieved int64 }

// delayed returns a time between at and at + maximum.
func (s *store) delayed(ordinal int32, salt uint64, at uint32, maximum time.Duration) int64 {
	if maximum < time.Second {
		return int64(at)
	}
	return int64(at) + int64(draw(s.seed, ordinal, salt)%(uint64(maximum.Seconds())+1))
}

// appear decides when a new object becomes visible. A tied child becomes visible with its parent.
func (s *store) appear(ordinal int32, now uint32) {
	delays := s.account.stripe.delays
	if s.kind.isTied() || delays.Lists <= 0 && delays.Retrieves <= 0 {
		return
	}
	s.changes.visible[ordinal] = visibility{s.delayed(ordinal, 9, now, delays.Lists), s.delayed(ordinal, 13, now, delays.Retrieves)}
}

// listed reports whether an object is visible in lists yet.
func (s *store) listed(ordinal int32, now int64) bool {
	return len(s.changes.visible) == 0 || s.changes.visible[ordinal].listed <= now
}

// retrievable reports whether an object can be retrieved by id yet.
func (s *store) retrievable(ordinal int32, now int64) bool {
	return len(s.changes.visible) == 0 || s.changes.visible[ordinal].retrieved <= now
}
