package selected

import (
	"fmt"
	"slices"
)

// Phase is what a Read is doing about a stream. It only moves along [transitions].
type Phase int

// The phases.
const (
	// Planned: nothing was read of it yet.
	Planned Phase = iota
	// Listing: its lists are being read, or wait for a worker.
	Listing
	// Sweeping: its lists are read, and events are applied, or wait to be.
	Sweeping
	// Outdated: its lists are read, but were begun by an earlier Read; what no event announces is listed in another round.
	Outdated
	// Stranded: its events are out of reach, so its lists are read from the beginning in another round.
	Stranded
	// Comparing: its changes are applied, and it waits to be compared, in a Read that reconciles.
	Comparing
	// Current: everything is applied, in a Read that follows.
	Current
	// Ended: nothing more is read of it.
	Ended
)

var phaseNames = [...]string{"planned", "listing", "sweeping", "outdated", "stranded", "comparing", "current", "ended"}

// String returns the name of p.
func (p Phase) String() string { return phaseNames[p] }

// transitions are the phases that may follow each phase. A stream may end in any phase: its sink may refuse a record, its key
// may be refused, or the Read may end.
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

// step returns the phase without asking whether the stream has ended.
func (s *Stream) step() Phase {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phase
}

// Enter moves the stream to another phase. It does nothing once the stream has ended, and panics if the step is not legal:
// that is a bug.
func (s *Stream) Enter(next Phase) {
	if s.Phase() == Ended {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if next != Ended && next != s.phase && !slices.Contains(transitions[s.phase], next) {
		panic(fmt.Sprintf("stream %s goes from %s to %s", s.Row.Name, s.phase, next))
	}
	s.phase = next
}
