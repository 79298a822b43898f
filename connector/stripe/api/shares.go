package api

import (
	"context"
	"sync"
)

// claim is whose answer takes one of a bounded number of places.
type claim struct{ account, base string }

// shares is a bounded number of places, of which no account and no address of Stripe's API may have more than a part: one
// upstream that is slow, or never ends its answers, must not stall the Reads of others.
type shares struct {
	all                       chan struct{}
	maxPerAccount, maxPerBase int

	mu    sync.Mutex
	lanes map[string]*lane
}

// lane is the part of one account or address. It's forgotten when nobody uses it.
type lane struct {
	places chan struct{}
	users  int
}

func newShares(all, maxPerBase, maxPerAccount int) *shares {
	return &shares{all: make(chan struct{}, all), maxPerBase: maxPerBase, maxPerAccount: maxPerAccount, lanes: map[string]*lane{}}
}

// enter waits for a place. The caller must leave it.
func (s *shares) enter(ctx context.Context, c claim) error {
	if err := s.enterLane(ctx, "account "+c.account, s.maxPerAccount); err != nil {
		return err
	}
	if err := s.enterLane(ctx, "base "+c.base, s.maxPerBase); err != nil {
		s.leaveLane("account "+c.account, true)
		return err
	}
	select {
	case s.all <- struct{}{}:
		return nil
	case <-ctx.Done():
		s.leaveLane("base "+c.base, true)
		s.leaveLane("account "+c.account, true)
		return ctx.Err()
	}
}

func (s *shares) leave(c claim) {
	<-s.all
	s.leaveLane("base "+c.base, true)
	s.leaveLane("account "+c.account, true)
}

func (s *shares) enterLane(ctx context.Context, name string, maximum int) error {
	s.mu.Lock()
	l := s.lanes[name]
	if l == nil {
		l = &lane{places: make(chan struct{}, maximum)}
		s.lanes[name] = l
	}
	l.users++
	s.mu.Unlock()
	select {
	case l.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		s.leaveLane(name, false)
		return ctx.Err()
	}
}

func (s *shares) leaveLane(name string, entered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lanes[name]
	if entered {
		<-l.places
	}
	if l.users--; l.users == 0 {
		delete(s.lanes, name)
	}
}
