package selected

import (
	"fmt"
	"slices"
)

// Phase is what a Read is currently doing with a stream. It only changes along [transitions].
type Phase int

// The phases.
const (
	// Planned: nothing has been read yet.
	Planned Phase = iota
	// Listing: its lists are being read or wait for a worker.
	Listing
	// Sweeping: its lists have been read, and its events are being applied or wait to be.
	Sweeping
	// Outdated: its lists have been read, but an earlier Read started them, so changes without events may have been missed.
	// It is re-listed in another round.
	Outdated
	// Stranded: its events are unavailable, so its lists are read from the beginning in another round.
	Stranded
	// Comparing: its changes have been applied, and it waits to be compared, in a Read with Reconcile.
	Comparing
	// Current: everything has been applied, in a Read with Follow.
	Current
	// Ended: nothing more is read.
	Ended
)

var phaseNames = [...]string{"planned", "listing", "sweeping", "outdated", "stranded", "comparing", "current", "ended"}

// String returns the name of p.
func (p Phase) String() string { return phaseNames[p] }

// transitions lists the phases that may follow each phase. A stream may also end in any phase: the sink may reject a
// record, Stripe may refuse the key, or the Read may end.
var transitions = map[Phase][]Phase{
	Planned:   {Listing, Sweeping},
	Listing:   {Sweeping, Outdated, Current},
	Sweeping:  {Outdated, Stranded, Comparing, Current},
	Outdated:  {Listing, Sweeping},
	Stranded:  {Listing},
	Comparing: {},
	Current:   {Listing, Sweeping},
	Ended:     {},
}

// Phase returns the phase of the stream.
func (s *Stream) Phase() Phase {
	if s.Out != nil && s.Out.Ended() {
		return Ended
	}
	return s.step()
}

// step returns the phase without checking whether the stream has ended.
func (s *Stream) step() Phase {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phase
}

// Enter moves the stream to another phase. It does nothing once the stream has ended, and panics if the transition isn't
// allowed, which is a bug.
func (s *Stream) Enter(next Phase) {
	if s.Phase() == Ended {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if next != Ended && next != s.phase && !slices.Contains(transitions[s.phase], next) {
		panic(fmt.Sprintf("stream %s can't go from %s to %s", s.Row.Name, s.phase, next))
	}
	s.phase = next
}
