package changes

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"slices"

	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
)

// seen is which events of the overlap were applied to a stream.
type seen struct {
	events  map[string]clock.Second // events that were applied, by the hash of their id, with their time
	awaited map[string]clock.Second // events whose lists are to be read again, with when
	floor   clock.Second            // events before it may be older than records that were sent
}

// moment is what is remembered of an event.
type moment struct {
	hash string // of its id
	at   clock.Second
}

// hashID shortens the id of an event to what a state remembers of it: 48 bits.
func hashID(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:6])
}

// recall returns what a state remembers.
func recall(c *state.Changes) *seen {
	s := &seen{floor: c.Reread, awaited: map[string]clock.Second{}, events: make(map[string]clock.Second, len(c.Seen))}
	for _, hash := range c.Seen {
		s.events[hash] = 0 // when is known once it is listed again
	}
	return s
}

// applied reports whether an event was applied already, or is too old to be looked for, and remembers that it is applied from
// now on. One that waits for another reading of its list counts as applied until that is due.
func (s *seen) applied(e *Event, from, now clock.Second) bool {
	at := e.At()
	if at < from || now < s.awaited[e.hash] {
		return true
	}
	delete(s.awaited, e.hash)
	_, known := s.events[e.hash]
	s.events[e.hash] = at
	return known
}

// trustedList is how long after a change lists show it as a rule: they are eventually consistent, and once the overlap is
// over they are taken to show it for certain.
const trustedList = clock.Second(30)

// await makes the events that concern a list which was read wait until it can be trusted: those for which it was read, and
// those of single children, which it took away if it did not show them yet.
func (s *sweep) await() {
	for list, at := range s.listed {
		for _, m := range s.telling[list] {
			s.seen[list.stream].listedFor(m, at, s.Overlap)
		}
	}
}

// listedFor notes that a list was read in which the change that an event announces shows, sooner or later. Until that is
// certain the event does not count as seen: it is applied again, to read the list again, when it is old enough.
func (s *seen) listedFor(m moment, read, overlap clock.Second) {
	_, known := s.events[m.hash]
	_, awaited := s.awaited[m.hash]
	switch {
	case !known && !awaited: // it is not looked for any more
	case read >= m.at+overlap:
		delete(s.awaited, m.hash)
		s.events[m.hash] = m.at
	default:
		delete(s.events, m.hash)
		s.awaited[m.hash] = m.at + overlap
		if read < m.at+trustedList {
			s.awaited[m.hash] = m.at + min(overlap, trustedList)
		}
	}
}

// advance notes that all events before a moment are applied. Those of the overlap before it are looked for again: what was
// seen of them is remembered, and forgotten with the overlap. Where more events lie in the overlap than a state remembers,
// that is shortened.
func (s *seen) advance(c *state.Changes, until, overlap clock.Second) {
	if until > c.Until {
		c.Until = until
		c.From = max(c.From, until-overlap)
	}
	maps.DeleteFunc(s.awaited, func(_ string, due clock.Second) bool { return due < c.From })
	var kept []moment
	for hash, at := range s.events {
		if at != 0 && at < c.From {
			delete(s.events, hash)
			continue
		}
		kept = append(kept, moment{hash, at})
	}
	slices.SortFunc(kept, func(a, b moment) int { return cmp.Or(-cmp.Compare(a.at, b.at), cmp.Compare(a.hash, b.hash)) })
	if len(kept) > state.MaxSeen {
		c.From = max(c.From, kept[state.MaxSeen].at+1)
		for len(kept) > 0 && (len(kept) > state.MaxSeen || kept[len(kept)-1].at < c.From) {
			delete(s.events, kept[len(kept)-1].hash)
			kept = kept[:len(kept)-1]
		}
	}
	c.Seen = make([]string, len(kept))
	for i, m := range kept {
		c.Seen[i] = m.hash
	}
}
