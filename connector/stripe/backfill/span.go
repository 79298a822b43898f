package backfill

import (
	"strings"

	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// span is a window of a pass that is being read. Window advances with each commit and is what
// states record. A page that has arrived but isn't committed yet reaches further down, to floor.
type span struct {
	state.Window
	taken   bool
	floor   clock.Second // everything above belongs to the assigned worker; 0 before its first page
	arrived int          // objects that arrived since the span was assigned
	top     clock.Second // upper end of the range in which they were created
}

func newSpan(w state.Window) *span { return &span{Window: w} }

// assign assigns the span to a worker.
func (s *span) assign() {
	s.taken, s.floor, s.arrived, s.top = true, 0, 0, s.To
	if s.At != 0 {
		s.top = s.At
	}
}

// arrive records the arrival of a page. It returns the objects that belong to the span, since another worker may have taken
// the older part in the meantime, and reports whether they are the last.
func (s *span) arrive(root *table.Stream, objects []rawjson.Object, more bool) ([]rawjson.Object, bool) {
	if root.Cursor == "" || s.Clock != "" {
		return objects, !more
	}
	s.floor = s.From
	kept := objects[:0]
	for _, object := range objects {
		at := root.CreatedAt(object)
		if at != 0 && at < s.From { // some accounts have no creation time
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

// pagesLeft estimates how many pages are left below the objects that arrived, from their density; 0 before the first page.
func (s *span) pagesLeft() float64 {
	if s.floor == 0 || s.arrived == 0 {
		return 0
	}
	return float64(s.floor-s.From) * s.density() / table.MaxPerPage
}

// density returns the number of objects per second among those that arrived.
func (s *span) density() float64 { return float64(s.arrived) / float64(max(s.top-s.floor, 1)) }

// split removes the older part of what hasn't arrived, and returns it as a new span. It is half of that, or all but a few
// pages if the newest objects are to come first.
func (s *span) split(newestFirst bool) *span {
	at := s.From + (s.floor-s.From)/2
	if newestFirst {
		at = max(at, s.floor-clock.Second(newestFirstPages*table.MaxPerPage/s.density()))
	}
	older := newSpan(state.Window{From: s.From, To: at})
	s.From = at
	return older
}

// newestFirstPages is the number of pages that a worker keeps if the newest objects are to come first.
const newestFirstPages = 16

// committed records that the objects of the span down to last were committed.
func (s *span) committed(root *table.Stream, last rawjson.Object) {
	s.After, s.At = strings.Clone(last.ID), root.CreatedAt(last) // a substring would keep the whole page in memory
	if s.Clock != "" || s.At < s.From || s.At >= s.To {
		s.At = 0 // Stripe doesn't order this list by creation time
	}
}
