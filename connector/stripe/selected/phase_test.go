package selected

import (
	"testing"

	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// TestPhases tries every transition between phases: those in the table succeed, and all others panic.
func TestPhases(t *testing.T) {
	for from := Planned; from <= Ended; from++ {
		for to := Planned; to <= Ended; to++ {
			legal := to == from || to == Ended
			for _, next := range transitions[from] {
				legal = legal || next == to
			}
			if from == Ended {
				legal = true // Enter does nothing
			}
			s := &Stream{Row: &table.Stream{Name: "charges"}, phase: from}
			panicked := enter(s, to)
			if panicked == legal {
				t.Errorf("from %s to %s: legal %v, panicked %v", from, to, legal, panicked)
			}
		}
	}
}

func enter(s *Stream, p Phase) (panicked bool) {
	defer func() { panicked = recover() != nil }()
	s.Enter(p)
	return false
}

// TestPhasesAreConnected checks that every phase is reachable and that only the last ones are dead ends.
func TestPhasesAreConnected(t *testing.T) {
	reached := map[Phase]bool{Planned: true}
	for range transitions {
		for from := range reached {
			for _, next := range transitions[from] {
				reached[next] = true
			}
		}
	}
	for p := Planned; p < Ended; p++ {
		if !reached[p] {
			t.Errorf("nothing leads to %s", p)
		}
		if len(transitions[p]) == 0 && p != Comparing {
			t.Errorf("nothing follows %s", p)
		}
	}
}
