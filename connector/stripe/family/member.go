package family

import (
	"math"
	"net/url"
	"slices"
	"sync/atomic"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// Member is an endpoint of a family: the root, or one below it.
type Member struct {
	Row      *table.Stream      // any of the endpoint's streams: they are read alike
	Streams  []*selected.Stream // those that live on the endpoint
	Children []*Member

	parent       *Member                           // nil for the root
	parentObject string                            // the object type of its parents
	objects      []string                          // the object types that belong to the endpoint
	refused      atomic.Pointer[connector.Failure] // why the key may not list it
	unexpanded   atomic.Bool                       // Stripe refuses to embed it in its parents
}

// Of returns the family of an endpoint: with those of its descendants that lead to a stream; nil if none does.
func Of(t table.Table, endpoint *table.Stream, streams []*selected.Stream) *Member {
	return member(t, endpoint, nil, streams)
}

// All returns the families of streams, one for each endpoint at the top. Streams of the events themselves are in none.
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
	m := &Member{Row: endpoint, parent: parent, objects: t.Objects(endpoint)}
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
			if child := member(t, below, m, streams); child != nil {
				child.parentObject = row.Object
				m.Children = append(m.Children, child)
			}
		}
	}
	if len(m.Streams)+len(m.Children) == 0 {
		return nil
	}
	return m
}

// All returns the streams of m and of all below it.
func (m *Member) All() []*selected.Stream {
	streams := slices.Clone(m.Streams)
	for _, child := range m.Children {
		streams = append(streams, child.All()...)
	}
	return streams
}

// Below returns the first endpoint below the objects of a stream, in a family that has one path only; nil if there is none.
func (m *Member) Below(parent *table.Stream) *Member {
	for _, child := range m.Children {
		if m.Row.SameEndpoint(parent) {
			return child
		}
		if found := child.Below(parent); found != nil {
			return found
		}
	}
	return nil
}

// ParentObject returns the object type of the parents of m.
func (m *Member) ParentObject() string { return m.parentObject }

// HasType reports whether objects of a type belong to the endpoint.
func (m *Member) HasType(object string) bool { return slices.Contains(m.objects, object) }

// belongs reports whether an object has an id and is of a type that the endpoint is known to list.
func (m *Member) belongs(object rawjson.Object) bool {
	return object.ID != "" && m.HasType(object.Type)
}

// Follows reports whether a change of its parent can be one of any stream of m.
func (m *Member) Follows() bool {
	return slices.ContainsFunc(m.Streams, func(s *selected.Stream) bool { return s.Row.Follows() })
}

// closed reports whether there is no use in listing m: the key may not, or not an endpoint above it, or all streams that
// need it have ended.
func (m *Member) closed() bool {
	for above := m; above != nil; above = above.parent {
		if above.refused.Load() != nil {
			return true
		}
	}
	return m.parent != nil && !slices.ContainsFunc(m.All(), func(s *selected.Stream) bool { return !s.Out.Ended() })
}

// List returns path and parameters of the first page, with what the children need.
func (m *Member) List(at table.Place) (string, url.Values) {
	path, query := m.Row.List(at)
	for _, child := range m.Children {
		if child.expanded() {
			query.Add("expand[]", "data."+child.Row.Embedded)
		}
	}
	return path, query
}

// expanded reports whether m is embedded in its parents if that is asked for.
func (m *Member) expanded() bool { return m.Row.Expand && !m.unexpanded.Load() }

// Expansions returns what is asked for with one object of m, for the children that follow it.
func (m *Member) Expansions() url.Values {
	query := url.Values{}
	for _, child := range m.Children {
		if child.expanded() && child.Follows() {
			query.Add("expand[]", child.Row.Embedded)
		}
	}
	return query
}

// Unexpand makes m do without what Stripe refused to embed, if err says that it did: its children are listed by their own
// endpoints from now on, which say for which of them a permission is missing.
func (m *Member) Unexpand(err error) bool {
	if !api.IsExpansionRefused(err) {
		return false
	}
	refused := false
	for _, child := range m.Children {
		refused = child.Row.Expand && !child.unexpanded.Swap(true) || refused
	}
	return refused
}

// EmbedsAll reports whether no list that an object of m embeds goes on beyond it.
func (m *Member) EmbedsAll(object rawjson.Object) bool {
	for _, child := range m.Children {
		if child.Row.Embedded == "" || child.Row.Expand || !child.Follows() {
			continue
		}
		if embedded(child.Row, object).HasMore {
			return false
		}
	}
	return true
}

// Normalize returns an object in the shape that it always has: with the id of its parent, and without what was expanded for
// the sake of its children.
func (m *Member) Normalize(raw string, at table.Place) string {
	if field := m.Row.ParentField; field != "" {
		raw = rawjson.WithMember(raw, field, rawjson.Quote(at.Parent.ID))
	}
	if field := m.Row.AcrossField; field != "" {
		raw = rawjson.WithMember(raw, field, rawjson.Quote(at.Across))
	}
	for _, child := range m.Children {
		if child.Row.Expand {
			raw = rawjson.Without(raw, child.Row.EmbeddedPath()...)
		}
	}
	return raw
}

// inRange returns the objects of m that lists would show: of a root that is listed by creation, those that were not created
// before the start date, so that rows don't depend on whether an object was listed or changed.
func (m *Member) inRange(objects []rawjson.Object) []rawjson.Object {
	if m.parent != nil || m.Row.Cursor == "" {
		return objects
	}
	from := clock.Second(math.MaxInt64)
	for _, s := range m.All() {
		from = min(from, s.Current.From)
	}
	old := func(object rawjson.Object) bool {
		at := m.Row.CreatedAt(object)
		return at != 0 && at < from
	}
	if !slices.ContainsFunc(objects, old) {
		return objects
	}
	return slices.DeleteFunc(slices.Clone(objects), old)
}
