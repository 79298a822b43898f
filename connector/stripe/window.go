package stripe

import (
	"strings"

	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// window is a half-open range of creation times, read from its newest end down to the object After.
type window struct {
	From  second `json:"from"`
	To    second `json:"to"`
	After string `json:"after,omitempty"` // the last object that was read; empty if none was
	At    second `json:"at,omitzero"`     // when that was created
}

// rest gives the number of seconds that are left to read.
func (w window) rest() int64 {
	if w.At != 0 {
		return int64(w.At - w.From)
	}
	return int64(w.To - w.From)
}

// withoutCursor gives what is left of a window whose last object was deleted: it begins again with the second in which
// that was created, of which some objects then come twice.
func (w window) withoutCursor() window {
	if w.At != 0 {
		return window{From: w.From, To: w.At + 1}
	}
	return window{From: w.From, To: w.To}
}

// span is a window of a pass while it is read. Its window tells what was emitted: that is what states hold. A page that
// arrived and was not emitted yet reaches further down, to floor.
type span struct {
	window
	taken   bool
	floor   second // all above belongs to whoever took the span; 0 before its first page
	arrived int    // objects that arrived since it was taken
	top     second // where that began
}

func newSpan(w window) *span { return &span{window: w} }

// take lets a worker read the span.
func (s *span) take() {
	s.taken, s.floor, s.arrived, s.top = true, 0, 0, s.To
	if s.At != 0 {
		s.top = s.At
	}
}

// arrive notes that a page came and gives the objects of it that belong to the span: a thief may have taken older ones
// meanwhile. It also tells whether the span ends with them.
func (s *span) arrive(root *stream, objects []rawjson.Object, more bool) ([]rawjson.Object, bool) {
	if root.Cursor == "" {
		return objects, !more
	}
	s.floor = s.From
	kept := objects[:0]
	for _, object := range objects {
		at := root.createdAt(object)
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
	return float64(s.floor-s.From) * s.density() / mostPerPage
}

// density is the number of objects per second in what arrived.
func (s *span) density() float64 { return float64(s.arrived) / float64(max(s.top-s.floor, 1)) }

// split gives away the older part of what did not arrive, as a span of its own: half of it, or, where the newest are to
// come first, all but some pages.
func (s *span) split(newestFirst bool) *span {
	at := s.From + (s.floor-s.From)/2
	if newestFirst {
		at = max(at, s.floor-second(newestFirstPages*mostPerPage/s.density()))
	}
	older := newSpan(window{From: s.From, To: at})
	s.From = at
	return older
}

// newestFirstPages is how many pages a worker keeps for itself when the newest are to come first.
const newestFirstPages = 16

// emitted notes that objects of the span, down to last, were emitted.
func (s *span) emitted(root *stream, last rawjson.Object) {
	s.After, s.At = strings.Clone(last.ID), root.createdAt(last) // a part of the page would keep all of it in memory
	if s.At < s.From || s.At >= s.To {
		s.At = 0 // a list that Stripe does not order by creation
	}
}
