package changes

import (
	"slices"

	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/config"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/ledger"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
)

// change is what the newest events of a stretch say about one subject.
type change struct {
	subject
	member *family.Member
	at     clock.Second
	events []*Event                  // of that second
	all    []*Event                  // of the stretch, newest first
	news   map[*selected.Stream]bool // the streams to which it has not been applied yet
	late   bool                      // some of their records were read more recently, so the events may be older
	reused bool                      // the object may have been created again since: a later creation is skipped

	readAt clock.Second // when it was applied
	asked  bool         // it was re-read then
	due    clock.Second // when to apply it again, because its object is not visible yet; 0 if it was applied
	lists  []readingOf  // the lists that were read
	read   []readingOf  // what was re-read, and for which streams
}

// changes returns the changes that the events of a look announce. The events are ordered from newest to oldest.
func (s *sweep) changes(look ledger.Look, events []Event) []*change {
	news := s.observe(look, events)
	var all []*change
	known := map[subject]*change{}
	for i := range events {
		e := &events[i]
		for _, t := range s.targetsOf(e) {
			id, ok := t.subjectOf(e)
			if !ok {
				continue
			}
			key := subject{t.asked.Row, t.role, id}
			list, listed := t.list(e, key)
			if listed && e.At() >= s.now-s.Overlap {
				of := readingOf{t.stream, list}
				s.overlapping[of] = append(s.overlapping[of], e.moment())
			}
			c := known[key]
			if c == nil {
				c = &change{subject: key, member: t.asked, at: e.At(), news: map[*selected.Stream]bool{}}
				known[key] = c
				all = append(all, c)
			}
			if n := len(c.all); n == 0 || c.all[n-1] != e {
				c.all = append(c.all, e)
			}
			if e.At() == c.at {
				s.add(c, e, t.stream, list, news[t.stream][i])
			}
		}
	}
	return s.prune(all, known)
}

// observe returns the indexes of the events that are new to each stream.
func (s *sweep) observe(look ledger.Look, events []Event) map[*selected.Stream]map[int]bool {
	concern := map[*selected.Stream][]int{}
	for i := range events {
		for _, t := range s.targetsOf(&events[i]) {
			all := concern[t.stream]
			if _, ok := t.subjectOf(&events[i]); ok && (len(all) == 0 || all[len(all)-1] != i) {
				concern[t.stream] = append(all, i)
			}
		}
	}
	news := map[*selected.Stream]map[int]bool{}
	for _, stream := range s.streams {
		if stream.Row.AppendOnly() {
			continue
		}
		indexes := concern[stream]
		moments := make([]ledger.Event, len(indexes))
		for n, i := range indexes {
			moments[n] = events[i].moment()
		}
		news[stream] = map[int]bool{}
		for n, isNew := range stream.Changes.Events.Observe(look, moments) {
			news[stream][indexes[n]] = isNew
		}
	}
	return news
}

// add adds an event of the newest second to a change. list is the list that would be read to re-read the subject, if any.
func (s *sweep) add(c *change, e *Event, stream *selected.Stream, list subject, news bool) {
	if !slices.Contains(c.events, e) {
		c.events = append(c.events, e)
	}
	listed := s.reread[readingOf{stream, list}].at // zero if it was not
	var object clock.Second
	if c.role == ownObject && !c.member.HasExpansions() {
		object = s.reread[readingOf{stream, c.subject}].at
	}
	if !news || c.at < object-selected.ReadMargin || c.at < listed-s.Overlap {
		return
	}
	if c.at < stream.Changes.DeletionsUntil && !isDeletion(c.member, e) {
		return
	}
	c.news[stream] = true
	c.reused = c.reused || c.at < stream.Changes.DeletionsUntil && c.member.Row.ChosenIDs
	reread := &stream.Changes.Reread
	c.late = c.late || c.at < stream.Changes.Until() || reread.MayBeNewer(c.key(), c.at) || reread.MayBeNewer(list.key(), c.at)
}

// prune removes changes that are new to no stream or that another change of the stretch includes.
func (s *sweep) prune(all []*change, known map[subject]*change) []*change {
	return slices.DeleteFunc(all, func(c *change) bool {
		var root *change
		switch c.role {
		case childObject:
			root = known[subject{s.reader.Table.Root(c.row), ownObject, parentOf(c.row, c.newest().About)}]
		case shownObject: // whose object is never updated from payloads, because it has expanded columns
			root = known[c.whole()]
		case ownObject, allChildren, partOfList:
		}
		for stream := range c.news {
			if root != nil && root.news[stream] {
				delete(c.news, stream)
			}
		}
		return len(c.news) == 0
	})
}

// siblings returns the children that are listed to re-read the change, if it concerns objects below a parent.
func (c *change) siblings() (subject, bool) {
	switch c.role {
	case allChildren:
		return c.subject, true
	case childObject:
		return siblingsOf(c.row, c.newest().About)
	case ownObject, shownObject, partOfList:
	}
	return subject{}, false
}

// newest returns the event with the latest object. Among events of one second, a creation is the earliest; the order of the
// others is unknown.
func (c *change) newest() *Event {
	for _, e := range c.events {
		if !e.IsCreation() {
			return e
		}
	}
	return c.events[0]
}

// isOrderKnown reports whether the order of the events of the newest second is known.
func (c *change) isOrderKnown() bool {
	others := 0
	for _, e := range c.events {
		if !e.IsCreation() {
			others++
		}
	}
	return others == 1 || others == 0 && len(c.events) == 1
}

// isDeleted reports whether the events say that the object was deleted. An object whose id the user chose can be created again, in
// the same second or before the lists are read.
func (c *change) isDeleted() bool {
	if c.reused {
		return false
	}
	deleted := false
	for _, e := range c.events {
		if e.IsCreation() {
			return false
		}
		deleted = deleted || isDeletion(c.member, e)
	}
	return deleted
}

// isDeletion reports whether an event says that its object, which m lists, was deleted.
func isDeletion(m *family.Member, e *Event) bool {
	for _, s := range m.Streams {
		if s.Row.Object == e.About.Type && s.Row.AnnouncesDeletion(e.Kind) {
			return true
		}
	}
	return m.Row.Object == e.About.Type && m.Row.AnnouncesDeletion(e.Kind)
}

// canUsePayload reports whether the payload of the newest event is complete and certain, so that nothing needs to be re-read.
func (c *change) canUsePayload(o Options) bool {
	e := c.newest()
	switch {
	case c.role != ownObject && c.role != childObject || o.UpdateMode == config.UpdateReread:
		return false
	case isDeletion(c.member, e):
		return false // created in the same second, before or after the deletion
	case c.member.HasExpansions():
		return false // events don't contain expanded fields
	case o.UpdateMode == config.UpdatePayload:
		return true
	case c.late || !c.isOrderKnown() || e.Version != o.APIVersion:
		return false
	}
	return c.role == childObject || c.member.ShowsAll(e.About)
}
