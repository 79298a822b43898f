package family

import (
	"math"
	"net/url"
	"slices"
	"sync/atomic"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// Member is an endpoint of a family: the root or a descendant.
type Member struct {
	Row      *table.Stream      // any of the endpoint's streams, since all are read in the same way
	Streams  []*selected.Stream // the selected streams of the endpoint
	Children []*Member

	parent       *Member                           // nil for the root
	parentObject string                            // the object type of its parents
	objects      []string                          // the object types of the endpoint
	refused      atomic.Pointer[connector.Failure] // why the key may not list the endpoint, if so
	expansions   []*expansion                      // the expansions for its objects
	lists        map[string][]*table.Stream        // what objects of a type always embed a list of, selected or not
	misplaced    atomic.Int64                      // how many listed objects were skipped
	apart        bool                              // its columns are too deeply nested in its parents to be expanded there
	unexpanded   atomic.Pointer[connector.Failure] // why Stripe refuses to embed the objects in their parents, if so
}

// Of returns the family of an endpoint, with those descendants that lead to one of the streams, or nil if there are none.
func Of(t table.Table, endpoint *table.Stream, streams []*selected.Stream) *Member {
	return member(t, endpoint, nil, streams)
}

// All returns the families of streams, one for each top-level endpoint. It omits streams of events.
func All(t table.Table, streams []*selected.Stream) []*Member {
	var roots []*table.Stream
	for _, s := range streams {
		if root := t.Root(s.Row); !slices.Contains(roots, root) && !root.AppendOnly() {
			roots = append(roots, root)
		}
	}
	families := make([]*Member, len(roots))
	for i, root := range roots {
		families[i] = Of(t, root, streams)
	}
	return families
}

func member(t table.Table, endpoint *table.Stream, parent *Member, streams []*selected.Stream) *Member {
	m := &Member{Row: endpoint, parent: parent, objects: t.Objects(endpoint), lists: map[string][]*table.Stream{}}
	for _, s := range streams {
		if s.Row.SameEndpoint(endpoint) {
			m.Streams = append(m.Streams, s)
		}
	}
	for i := range t {
		row := &t[i]
		if !row.SameEndpoint(endpoint) {
			continue
		}
		for _, below := range t.Endpoints(row.Name) {
			if below.Embedded != "" && !below.Expand && !below.Inline && !below.Single {
				m.lists[row.Object] = append(m.lists[row.Object], below)
			}
			if child := member(t, below, m, streams); child != nil {
				child.parentObject = row.Object
				m.Children = append(m.Children, child)
			}
		}
	}
	if len(m.Streams)+len(m.Children) == 0 {
		return nil
	}
	m.findExpansions()
	return m
}

// All returns the streams of m and of all its descendants.
func (m *Member) All() []*selected.Stream {
	streams := slices.Clone(m.Streams)
	for _, child := range m.Children {
		streams = append(streams, child.All()...)
	}
	return streams
}

// ChildOf returns the endpoint of the children of a stream, in a family with a single path, or nil if there is none.
func (m *Member) ChildOf(parent *table.Stream) *Member {
	for _, child := range m.Children {
		if m.Row.SameEndpoint(parent) {
			return child
		}
		if found := child.ChildOf(parent); found != nil {
			return found
		}
	}
	return nil
}

// ParentObject returns the object type of the parents of m.
func (m *Member) ParentObject() string { return m.parentObject }

// HasType reports whether objects of the given type belong to the endpoint.
func (m *Member) HasType(object string) bool { return slices.Contains(m.objects, object) }

// isExpected reports whether an object has an id and is of a type that the endpoint is known to list.
func (m *Member) isExpected(object rawjson.Object) bool {
	return object.ID != "" && m.HasType(object.Type)
}

// Follows reports whether a change of the parent can change the objects of any stream of m.
func (m *Member) Follows() bool {
	return slices.ContainsFunc(m.Streams, func(s *selected.Stream) bool { return s.Row.Follows() })
}

// isClosed reports whether there is no point in listing m: the key may not list it or an ancestor, or all streams that need
// it have ended.
func (m *Member) isClosed() bool {
	for above := m; above != nil; above = above.parent {
		if above.refused.Load() != nil {
			return true
		}
	}
	return m.parent != nil && !slices.ContainsFunc(m.All(), func(s *selected.Stream) bool { return !s.Out.Ended() })
}

// List returns the path and the parameters of the first page, including what the children and the columns need.
func (m *Member) List(at table.Place) (string, url.Values) {
	path, query := m.Row.List(at)
	m.expand(query, m.prefix())
	return path, query
}

// Expansions returns the parameters to request one object of m with its columns and the children that follow it.
func (m *Member) Expansions() url.Values {
	query := url.Values{}
	m.expand(query, "")
	return query
}

// ShowsAll reports whether an event about an object of m contains everything that is read with it, except children that
// have an endpoint of their own.
func (m *Member) ShowsAll(object rawjson.Object) bool {
	if m.HasExpansions() {
		return false
	}
	for _, child := range m.lists[object.Type] {
		if _, ok := listAt(object, child); !ok {
			return false
		}
	}
	for _, child := range m.Children {
		if child.Row.Embedded == "" || child.Row.Expand || child.Row.Inline || child.apart || !child.Follows() {
			continue
		}
		if child.embedded(object).HasMore {
			return false
		}
	}
	return true
}

// Normalize returns an object in the one shape that the records of a stream have: with the id of its parent, and without
// anything that was expanded for other streams.
func (m *Member) Normalize(raw string, at table.Place, s *selected.Stream) string {
	if field := m.Row.ParentField; field != "" {
		raw = rawjson.WithMember(raw, field, rawjson.Quote(at.Parent.ID))
	}
	if field := m.Row.AcrossField; field != "" {
		raw = rawjson.WithMember(raw, field, rawjson.Quote(at.Across))
	}
	return m.shown(raw, s)
}

// Plain returns an object in the form that events have.
func (m *Member) Plain(raw string) string { return m.shown(raw, nil) }

// inRange returns the objects of m that its lists would show. A root that is listed by creation time doesn't include
// objects created before the start date, so that rows don't depend on whether an object was listed or changed.
func (m *Member) inRange(objects []rawjson.Object) []rawjson.Object {
	if m.parent != nil || m.Row.Cursor == "" {
		return objects
	}
	from := clock.Second(math.MaxInt64)
	for _, s := range m.All() {
		from = min(from, s.Current.From)
	}
	isOld := func(object rawjson.Object) bool {
		at := m.Row.CreatedAt(object)
		return at != 0 && at < from && (!m.Row.Clocked || !hasTestClock(object))
	}
	if !slices.ContainsFunc(objects, isOld) {
		return objects
	}
	return slices.DeleteFunc(slices.Clone(objects), isOld)
}

// hasTestClock reports whether an object belongs to a test clock. Such objects are read whatever their creation time, which
// follows that clock.
func hasTestClock(object rawjson.Object) bool {
	value, _ := rawjson.Lookup(object.Raw, "test_clock")
	return value != "" && value != "null"
}
