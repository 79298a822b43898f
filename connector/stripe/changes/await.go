package changes

import (
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/ledger"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
)

// moment returns what a ledger needs to know about the event.
func (e *Event) moment() ledger.Event { return ledger.Event{ID: e.ID, At: e.Created} }

// listDelay is how long lists usually take to show a change. They are eventually consistent, and are trusted to show it once the
// overlap is over.
const listDelay = clock.Second(30)

// awaitLists schedules another application of the events that concern a list that was read, until the list can be trusted. These
// are the events that the list was read for, and those of single children, which the list removed if it did not show them yet.
func (s *sweep) awaitLists() {
	for list, read := range s.listed {
		for _, e := range s.overlapping[list] {
			at := clock.Second(e.At)
			if due := at + min(s.Overlap, listDelay); read < due {
				list.stream.Changes.Events.Await(e, int64(due))
			} else if due := at + s.Overlap; read < due {
				list.stream.Changes.Events.Await(e, int64(due))
			}
		}
	}
}

// minPatience is how soon an object that is not visible yet is requested again.
const minPatience = clock.Second(5)

// postpone postpones a change whose object does not exist although no event says that it was deleted, because events and objects
// become visible independently. A new object is requested again soon. An older one has most likely been deleted, so its change
// waits until the overlap is over. After that the object is certainly gone, and postpone returns false.
func (s *sweep) postpone(c *change) bool {
	over := c.at + s.Overlap
	if c.readAt >= over {
		return false
	}
	c.due = over
	e := c.newest()
	if created := clock.Second(e.About.Created); e.IsCreation() || created != 0 && c.readAt-created < objectDelay {
		c.due = min(over, c.readAt+max(minPatience, c.readAt-c.at))
	}
	return true
}

// objectDelay is how long a new object usually takes to become visible.
const objectDelay = clock.Second(60)

// waiting is an event to apply again when it is due. If due is zero, the event no longer waits.
type waiting struct {
	stream *selected.Stream
	event  ledger.Event
	due    clock.Second
}

// await schedules another application of an event whose change stays open.
func (s *sweep) await(of readingOf, e ledger.Event, due clock.Second) {
	s.waiting = append(s.waiting, waiting{of.stream, e, due})
	s.open[of] = append(s.open[of], e)
}

// release stops older events from waiting for a subject, because a newer event was applied to it.
func (s *sweep) release(of readingOf) {
	for _, e := range s.open[of] {
		s.waiting = append(s.waiting, waiting{of.stream, e, 0})
	}
	delete(s.open, of)
}

// record records w in the ledger. It must be called inside a commit.
func (w waiting) record() {
	if w.due == 0 {
		w.stream.Changes.Events.Release(w.event)
		return
	}
	w.stream.Changes.Events.Await(w.event, int64(w.due))
}
