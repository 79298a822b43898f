package backfill

import (
	"strings"

	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// span is a window of a pass while it is read. The window itself is what was committed, which is what states hold. A page
// that arrived and was not committed yet reaches further down, to floor.
type span struct {
	state.Window
	taken   bool
	floor   clock.Second // everything above belongs to the worker that took the span; 0 before its first page
	arrived int          // objects that arrived since it was taken
	top     clock.Second // where that began
}

func newSpan(w state.Window) *span { return &span{Window: w} }

// take hands the span to a worker.
func (s *span) take() {
	s.taken, s.floor, s.arrived, s.top = true, 0, 0, s.To
	if s.At != 0 {
		s.top = s.At
	}
}

// arrive notes that a page arrived. It returns the objects of it that belong to the span, since another worker may have taken
// older ones meanwhile, and reports whether the span ends with them.
func (s *span) arrive(root *table.Stream, objects []rawjson.Object, more bool) ([]rawjson.Object, bool) {
	if root.Cursor == "" {
		return objects, !more
	}
	s.floor = s.From
	kept := objects[:0]
	for _, object := range objects {
		at := root.CreatedAt(object)
		if at != 0 && at < s.From { // some accounts have no time of creation
			more = false
			continue
		}
		kept = append(kept, object)
		if at != 0 && more {
			s.floor = at
		}
	}
	s.arrived += len(kept)
	if !more {
		s.floor = s.From
	}
	return kept, !more
}

// pagesLeft estimates how many pages the span still has below what arrived, by the density of what did; 0 before the
// first page.
func (s *span) pagesLeft() float64 {
	if s.floor == 0 || s.arrived == 0 {
		return 0
	}
	return float64(s.floor-s.From) * s.density() / table.MaxPerPage
}

// density is the number of objects per second in what arrived.
func (s *span) density() float64 { return float64(s.arrived) / float64(max(s.top-s.floor, 1)) }

// split gives away the older part of what did not arrive, as a span of its own: half of it, or, where the newest are to
// come first, all but some pages.
func (s *span) split(newestFirst bool) *span {
	at := s.From + (s.floor-s.From)/2
	if newestFirst {
		at = max(at, s.floor-clock.Second(newestFirstPages*table.MaxPerPage/s.density()))
	}
	older := newSpan(state.Window{From: s.From, To: at})
	s.From = at
	return older
}

// newestFirstPages is how many pages a worker keeps for itself when the newest are to come first.
const newestFirstPages = 16

// committed notes that objects of the span, down to last, were committed.
func (s *span) committed(root *table.Stream, last rawjson.Object) {
	s.After, s.At = strings.Clone(last.ID), root.CreatedAt(last) // a part of the page would keep all of it in memory
	if s.At < s.From || s.At >= s.To {
		s.At = 0 // a list that Stripe does not order by creation
	}
}
