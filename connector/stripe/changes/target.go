package changes

import (
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// role is what the object that an event shows is to an endpoint.
type role int

const (
	ownObject   role = iota // one that the endpoint of a family's root lists, with the children that follow it
	childObject             // one that an endpoint below a parent lists
	allChildren             // their parent: all below it are listed again
	partOfList              // what the column Via names: a part of the root's list is read again
)

// target is a stream that events of some type concern.
type target struct {
	stream *selected.Stream
	home   *family.Member // on whose endpoint the stream lives
	asked  *family.Member // whose endpoint is asked: home, or its parent
	role   role
}

type targetsKey struct{ kind, object string }

// subject is what changed.
type subject struct {
	row  *table.Stream // of the endpoint
	role role
	id   string
}

// key returns the name of a subject in states.
func (s subject) key() string {
	if s.role == ownObject {
		return "object " + s.id
	}
	return "list " + s.id
}

// readingOf says for which stream a subject was read again.
type readingOf struct {
	stream  *selected.Stream
	subject subject
}

// reading is what is remembered of that.
type reading struct {
	at  clock.Second
	sum uint64 // of the records that a list yielded
}

// targetsOf returns what an event concerns. Events of one type and object concern the same.
func (s *sweep) targetsOf(e *Event) []target {
	key := targetsKey{e.Kind, e.About.Type}
	found, ok := s.targets[key]
	if !ok {
		for _, root := range s.families {
			found = append(found, s.targetsIn(root, key)...)
		}
		s.targets[key] = found
	}
	return found
}

func (s *sweep) targetsIn(root *family.Member, key targetsKey) []target {
	var found []target
	for _, stream := range root.Streams {
		switch _, via := stream.Row.Via[key.kind]; {
		case via:
			found = append(found, target{stream, root, root, partOfList})
		case stream.Row.Announces(key.kind) && stream.Row.Object == key.object:
			found = append(found, target{stream, root, root, ownObject})
		}
	}
	for _, m := range root.Children {
		parent := s.reader.Table.Find(m.Row.Parent)
		ofParent := key.object == m.ParentObject() && parent.Announces(key.kind)
		for _, stream := range m.Streams {
			switch {
			case ofParent && (stream.Row.Follows() || parent.AnnouncesDeletion(key.kind)):
				found = append(found, target{stream, m, root, ownObject})
			case ofParent || !stream.Row.Announces(key.kind):
			case key.object == stream.Row.Object && !m.Row.Inline:
				found = append(found, target{stream, m, m, childObject})
			case m.Row.Inline || !m.HasType(key.object):
				found = append(found, target{stream, m, m, allChildren})
			}
		}
	}
	return found
}

// subjectOf returns the id of what an event says about a target; false if it says nothing.
func (t target) subjectOf(e *Event) (string, bool) {
	if t.role == allChildren {
		id := parentOf(t.asked.Row, e.About)
		return id, id != ""
	}
	return e.About.ID, e.About.ID != "" // a preview, as of invoice.upcoming, has none
}

// list returns the list that is read to read the subject of an event again for the target; false if there is none.
func (t target) list(e *Event, of subject) (subject, bool) {
	switch t.role {
	case partOfList, allChildren:
		return of, true
	case ownObject:
		return childrenOf(t.home.Row, of.id), t.home != t.asked
	case childObject:
	}
	return siblingsOf(t.asked.Row, e.About)
}

// siblingsOf is what is below the parent of an object; false if it names none.
func siblingsOf(s *table.Stream, object rawjson.Object) (subject, bool) {
	parent := parentOf(s, object)
	return childrenOf(s, parent), parent != ""
}

// childrenOf is what is below a parent at the endpoint of a stream.
func childrenOf(s *table.Stream, parent string) subject { return subject{s, allChildren, parent} }

// parentOf returns the id of the parent that an object names.
func parentOf(s *table.Stream, object rawjson.Object) string {
	value, _ := rawjson.Lookup(object.Raw, s.ParentRef())
	return rawjson.String(value)
}
