package stripe

import (
	"slices"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// role is what the object that an event shows is to an endpoint.
type role int

const (
	ownObject   role = iota // one that the endpoint of a family's root lists, with the children that follow it
	childObject             // one that an endpoint below a parent lists
	allChildren             // their parent: all below it are listed again
	partOfList              // what the column Via names: a part of the root's list is read again
)

// target is an output that events of some type concern.
type target struct {
	out    *output
	member *member // whose endpoint is asked: the output's, or its parent's
	role   role
}

type targetsKey struct{ kind, object string }

// subject is what changed.
type subject struct {
	stream *stream // of the endpoint
	role   role
	id     string
}

// readingOf says for which output a subject was read again.
type readingOf struct {
	out     *output
	subject subject
}

// reading is what is remembered of that.
type reading struct {
	at  second
	sum uint64 // of the records that a list gave
}

// change is what the events of a stretch tell of one subject: the newest count.
type change struct {
	subject
	member *member
	at     second
	events []*event         // of that second
	outs   map[*output]bool // to which it is news
	late   bool             // for some of them, records were read since: an event may be older than those

	readAt second      // when it was applied
	asked  bool        // it was read again then
	lists  []readingOf // that were read
}

// targetsOf gives what an event concerns. Events of one type and object concern the same.
func (s *sweep) targetsOf(e *event) []target {
	key := targetsKey{e.kind, e.about.Type}
	found, ok := s.targets[key]
	if !ok {
		for _, root := range s.families {
			found = append(found, s.targetsIn(root, key)...)
		}
		s.targets[key] = found
	}
	return found
}

func (s *sweep) targetsIn(root *member, key targetsKey) []target {
	var found []target
	for _, out := range root.outputs {
		switch _, via := out.stream.Via[key.kind]; {
		case via:
			found = append(found, target{out, root, partOfList})
		case out.stream.tells(key.kind) && out.stream.Object == key.object:
			found = append(found, target{out, root, ownObject})
		}
	}
	for _, m := range root.children {
		parent := s.run.streams.find(m.stream.Parent)
		ofParent := key.object == m.parentObject && parent.tells(key.kind)
		for _, out := range m.outputs {
			switch {
			case ofParent && (out.stream.follows() || parent.deletes(key.kind)):
				found = append(found, target{out, root, ownObject})
			case ofParent || !out.stream.tells(key.kind):
			case key.object == out.stream.Object:
				found = append(found, target{out, m, childObject})
			case !slices.Contains(m.objects, key.object):
				found = append(found, target{out, m, allChildren})
			}
		}
	}
	return found
}

// changes gathers what the events of a stretch, the newest first, tell: the subjects with those of their events that count.
func (s *sweep) changes(events []event) []*change {
	var all []*change
	known := map[subject]*change{}
	for i := range events {
		e := &events[i]
		for _, t := range s.targetsOf(e) {
			id, ok := t.subjectOf(e)
			if !ok {
				continue
			}
			news := !t.out.applied(e, s.now)
			key := subject{t.member.stream, t.role, id}
			list, listed := t.list(e, key)
			if listed && second(e.Created) >= s.now-s.run.overlap {
				of := readingOf{t.out, list}
				s.telling[of] = append(s.telling[of], moment{e.hash, second(e.Created)})
			}
			c := known[key]
			if c == nil {
				c = &change{subject: key, member: t.member, at: second(e.Created), outs: map[*output]bool{}}
				known[key] = c
				all = append(all, c)
			}
			if second(e.Created) == c.at {
				s.add(c, e, t.out, list, news)
			}
		}
	}
	return s.settle(all, known)
}

// subjectOf gives the id of what an event tells about a target; false if nothing.
func (t target) subjectOf(e *event) (string, bool) {
	if t.role == allChildren {
		id := parentOf(t.member.stream, e.about)
		return id, id != ""
	}
	return e.about.ID, e.about.ID != "" // a preview, as of invoice.upcoming, has none
}

// list gives what is listed to read again, for the target, the subject of an event; false if it is no part of a list.
func (t target) list(e *event, of subject) (subject, bool) {
	switch t.role {
	case partOfList, allChildren:
		return of, true
	case ownObject:
		return childrenOf(t.out.member.stream, of.id), t.out.member != t.member
	case childObject:
	}
	return siblingsOf(t.member.stream, e.about)
}

// siblingsOf is what is below the parent of an object; false if it names none.
func siblingsOf(s *stream, object rawjson.Object) (subject, bool) {
	parent := parentOf(s, object)
	return childrenOf(s, parent), parent != ""
}

// childrenOf is what is below a parent at the endpoint of a stream.
func childrenOf(s *stream, parent string) subject { return subject{s, allChildren, parent} }

// parentOf gives the id of the parent that an object names.
func parentOf(s *stream, object rawjson.Object) string {
	value, _ := rawjson.Lookup(object.Raw, s.parentKey())
	return rawjson.String(value)
}

// add takes an event of the newest second of a change. The list is what would be read to read it again, if anything.
func (s *sweep) add(c *change, e *event, out *output, list subject, news bool) {
	if !slices.Contains(c.events, e) {
		c.events = append(c.events, e)
	}
	listed := s.run.readAgain[readingOf{out, list}].at // each zero if it was not
	var object second
	if c.role == ownObject {
		object = s.run.readAgain[readingOf{out, c.subject}].at
	}
	if !news || c.at < object-readMargin || c.at < listed-s.run.overlap {
		return
	}
	c.outs[out] = true
	c.late = c.late || c.at < out.floor || c.at < out.changes.Until || c.at <= max(object, listed)+readMargin
}

// readMargin is how far Stripe's clock, by which events are stamped, and that of this machine, by which readings are, may
// differ without harm: an event that is nearer to a reading may be older or newer.
const readMargin = second(5)

// settle leaves out changes that are news to nobody, or that another of the same stretch contains.
func (s *sweep) settle(all []*change, known map[subject]*change) []*change {
	return slices.DeleteFunc(all, func(c *change) bool {
		if c.role == childObject {
			root := known[subject{s.run.streams.root(c.stream), ownObject, parentOf(c.stream, c.newest().about)}]
			for out := range c.outs {
				if root != nil && root.outs[out] {
					delete(c.outs, out)
				}
			}
		}
		return len(c.outs) == 0
	})
}

// siblings gives the children that are listed to read a change again, if it is one below a parent.
func (c *change) siblings() (subject, bool) {
	switch c.role {
	case allChildren:
		return c.subject, true
	case childObject:
		return siblingsOf(c.stream, c.newest().about)
	case ownObject, partOfList:
	}
	return subject{}, false
}

// newest gives the event whose object is the latest; of several in one second, a creation is the earliest. Between others
// there is no telling.
func (c *change) newest() *event {
	for _, e := range c.events {
		if !isCreation(e.kind) {
			return e
		}
	}
	return c.events[0]
}

func isCreation(kind string) bool { return strings.HasSuffix(kind, ".created") }

// certain tells whether the order of the events of the newest second is known.
func (c *change) certain() bool {
	others := 0
	for _, e := range c.events {
		if !isCreation(e.kind) {
			others++
		}
	}
	return others == 1 || others == 0 && len(c.events) == 1
}

// gone tells whether the events say that the object is gone. One with an id of the user's choice can be made again in the
// same second.
func (c *change) gone() bool {
	deleted := false
	for _, e := range c.events {
		if isCreation(e.kind) {
			return false
		}
		deleted = deleted || c.member.deletes(e)
	}
	return deleted
}

// deletes tells whether an event says that its object, one that m lists, is gone.
func (m *member) deletes(e *event) bool {
	for _, out := range m.outputs {
		if out.stream.Object == e.about.Type && out.stream.deletes(e.kind) {
			return true
		}
	}
	return m.stream.Object == e.about.Type && m.stream.deletes(e.kind)
}

// carries tells whether the newest event has all that the change needs, so that nothing is read again.
func (c *change) carries(mode string) bool {
	e := c.newest()
	switch {
	case c.role != ownObject && c.role != childObject || mode == updateReread:
		return false
	case c.member.deletes(e):
		return false // it was made in the same second: before or after that
	case mode == updatePayload:
		return true
	case c.late || !c.certain() || e.version != api.Version:
		return false
	}
	return c.role == childObject || c.member.embedsAll(e.about)
}

// embedsAll tells whether no list that an object embeds goes on beyond it.
func (m *member) embedsAll(object rawjson.Object) bool {
	for _, child := range m.children {
		if child.stream.Embedded == "" || child.stream.Expand || !child.follows() {
			continue
		}
		list, err := carried(child.stream, object)
		if err != nil || list.HasMore {
			return false
		}
	}
	return true
}
