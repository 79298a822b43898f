package changes

import (
	"strings"

	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// role says how the object of an event relates to an endpoint.
type role int

const (
	ownObject   role = iota // listed by the endpoint of a family's root, with the children that follow it
	childObject             // listed by an endpoint below a parent
	allChildren             // a parent whose children are all re-listed
	partOfList              // named by the column Via; a part of the root's list is re-read
	shownObject             // shown in a column of an object of the root, which is re-read
)

// target is a stream that events of a type concern.
type target struct {
	stream *selected.Stream
	home   *family.Member // the endpoint of the stream
	asked  *family.Member // the endpoint to request: home or its parent
	role   role
	ref    string // of a shownObject: the field that holds the id of the object that shows it
}

type targetsKey struct{ kind, object string }

// subject identifies what changed.
type subject struct {
	row  *table.Stream // of the endpoint
	role role
	id   string
}

// key returns the name of a subject in states.
func (s subject) key() string {
	if s.whole().role == ownObject {
		return "object " + s.id
	}
	return "list " + s.id
}

// whole returns the subject that is re-read for s: the object that shows it, if it is shown in a column.
func (s subject) whole() subject {
	if s.role == shownObject {
		s.role = ownObject
	}
	return s
}

// readingOf is a subject that was re-read for a stream.
type readingOf struct {
	stream  *selected.Stream
	subject subject
}

// reading records when a subject was re-read, and what that yielded.
type reading struct {
	at  clock.Second
	sum uint64 // hash of the records that a list yielded
}

// targetsOf returns the targets of an event, which depend only on its type and the type of its object.
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
			found = append(found, target{stream, root, root, partOfList, ""})
		case stream.Row.Announces(key.kind) && stream.Row.Object == key.object:
			found = append(found, target{stream, root, root, ownObject, ""})
		default:
			if ref := s.shownBy(stream, key); ref != "" {
				found = append(found, target{stream, root, root, shownObject, ref})
			}
		}
	}
	for _, m := range root.Children {
		parent := s.reader.Table.Find(m.Row.Parent)
		ofParent := key.object == m.ParentObject() && parent.Announces(key.kind)
		for _, stream := range m.Streams {
			switch {
			case ofParent && (stream.Row.Follows() || parent.AnnouncesDeletion(key.kind)):
				found = append(found, target{stream, m, root, ownObject, ""})
			case ofParent || !stream.Row.Announces(key.kind):
			case key.object == stream.Row.Object && !m.Row.Inline:
				found = append(found, target{stream, m, m, childObject, ""})
			case m.Row.Inline || !m.HasType(key.object):
				found = append(found, target{stream, m, m, allChildren, ""})
			}
		}
	}
	return found
}

// shownBy returns the field that holds the id of the stream's object that shows the object of an event in a column, or "" if none
// does.
func (s *sweep) shownBy(stream *selected.Stream, key targetsKey) string {
	for _, held := range s.reader.Table.Held(stream.Row, stream.Expansions) {
		if held.Announces(key.kind) {
			return held.Ref
		}
	}
	return ""
}

// subjectOf returns the id of the target's subject, and whether the event names one.
func (t target) subjectOf(e *Event) (string, bool) {
	id := e.About.ID // the object of invoice.upcoming has none
	switch t.role {
	case allChildren:
		id = parentOf(t.asked.Row, e.About)
	case shownObject:
		id = idIn(e.About, t.ref)
	case ownObject, childObject, partOfList:
	}
	return id, id != ""
}

// list returns the list to request in order to re-read the subject of an event for the target, and whether there is one.
func (t target) list(e *Event, of subject) (subject, bool) {
	switch t.role {
	case partOfList, allChildren, shownObject: // a column is a list, too
		return of, true
	case ownObject:
		if t.home == t.asked && t.asked.HasExpansions() { // the change may be one of a column
			return subject{of.row, shownObject, of.id}, true
		}
		return childrenOf(t.home.Row, of.id), t.home != t.asked
	case childObject:
	}
	return siblingsOf(t.asked.Row, e.About)
}

// siblingsOf returns the children of the object's parent, and whether the object names its parent.
func siblingsOf(s *table.Stream, object rawjson.Object) (subject, bool) {
	parent := parentOf(s, object)
	return childrenOf(s, parent), parent != ""
}

// childrenOf returns the children of a parent at the endpoint of a stream.
func childrenOf(s *table.Stream, parent string) subject { return subject{s, allChildren, parent} }

// parentOf returns the id of the parent that an object names, or "" if it names none. It shares no memory with the object.
func parentOf(s *table.Stream, object rawjson.Object) string {
	return idIn(object, s.ParentRef())
}

// idIn returns the id that a field of an object holds, or "" if it holds none. It shares no memory with the object.
func idIn(object rawjson.Object, field string) string {
	value, _ := rawjson.Lookup(object.Raw, field)
	return strings.Clone(rawjson.String(value))
}
