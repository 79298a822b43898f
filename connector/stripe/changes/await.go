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
// visible independently of each other. It reports false once the overlap is over, when the object is certain to be gone.
func (s *sweep) stayOpen(c *change) bool {
	over := c.at + s.Overlap
	if c.readAt >= over {
		return false
	}
	c.due = min(over, c.readAt+max(leastPatience, c.readAt-c.at))
	return true
}

// waiting is an event that is to be applied again.
type waiting struct {
	stream *selected.Stream
	event  ledger.Event
	due    clock.Second
}
