package backfill

import (
	"testing"

	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
)

// TestSplitPartitions splits spans in every way. The two parts must cover the whole span without a gap or an overlap, and
// the part given away must lie below everything that arrived.
func TestSplitPartitions(t *testing.T) {
	for _, newestFirst := range []bool{false, true} {
		for floor := clock.Second(2); floor < 200; floor++ {
			for _, arrived := range []int{1, 100, 100_000} {
				s := newSpan(state.Window{From: 0, To: 1000})
				s.assign()
				s.floor, s.arrived = floor, arrived
				older := s.split(newestFirst)
				if older.From != 0 || older.To != s.From || s.To != 1000 {
					t.Fatalf("[0, 1000) was split into [%d, %d) and [%d, %d)", older.From, older.To, s.From, s.To)
				}
				if older.To > floor || older.To <= older.From {
					t.Fatalf("objects arrived down to %d, but [%d, %d) was given away", floor, older.From, older.To)
				}
			}
		}
	}
}
