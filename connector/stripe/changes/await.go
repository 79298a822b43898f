package changes

import (
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/ledger"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
)

// moment is what a ledger knows an event by.
func (e *Event) moment() ledger.Event { return ledger.Event{ID: e.ID, At: e.Created} }

// trustedList is how long after a change lists show it as a rule: they are eventually consistent, and once the overlap is
// over they are taken to show it for certain.
const trustedList = clock.Second(30)

// awaitLists makes the events that concern a list which was read wait until it can be trusted: those for which it was read,
// and those of single children, which it took away if it did not show them yet. Until then such an event is applied again
// when it is due, to read the list again.
func (s *sweep) awaitLists() {
	for list, read := range s.listed {
		for _, e := range s.telling[list] {
			at := clock.Second(e.At)
			if due := at + min(s.Overlap, trustedList); read < due {
				list.stream.Changes.Events.Await(e, int64(due))
			} else if due := at + s.Overlap; read < due {
				list.stream.Changes.Events.Await(e, int64(due))
			}
		}
	}
}

// leastPatience is how soon an object that is not visible yet is looked for again, in seconds.
const leastPatience = clock.Second(5)

// stayOpen makes a change wait whose object is not there, although no event says that it is gone: events and objects become
// visible independently of each other. An object that is new is soon looked for again. Any other has most likely been deleted,
// so its change waits until the overlap is over. Then the object is certain to be gone, and stayOpen reports false.
func (s *sweep) stayOpen(c *change) bool {
	over := c.at + s.Overlap
	if c.readAt >= over {
		return false
	}
	c.due = over
	e := c.newest()
	if created := clock.Second(e.About.Created); e.IsCreation() || created != 0 && c.readAt-created < trustedObject {
		c.due = min(over, c.readAt+max(leastPatience, c.readAt-c.at))
	}
	return true
}

// trustedObject is how long after its creation an object can be read, as a rule.
const trustedObject = clock.Second(60)

// waiting is an event that is to be applied again when it is due, or no longer if due is zero.
type waiting struct {
	stream *selected.Stream
	event  ledger.Event
	due    clock.Second
}

// await makes an event of a change that stays open wait.
func (s *sweep) await(of readingOf, e ledger.Event, due clock.Second) {
	s.waiting = append(s.waiting, waiting{of.stream, e, due})
	s.open[of] = append(s.open[of], e)
}

// release notes that a newer event has settled what became of a subject, so that no older one waits for it.
func (s *sweep) release(of readingOf) {
	for _, e := range s.open[of] {
		s.waiting = append(s.waiting, waiting{of.stream, e, 0})
	}
	delete(s.open, of)
}

// note notes in the ledger what becomes of the event. Call it inside a commit.
func (w waiting) note() {
	if w.due == 0 {
		w.stream.Changes.Events.Release(w.event)
		return
	}
	w.stream.Changes.Events.Await(w.event, int64(w.due))
}
