package stripetest

import (
	"slices"

	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

// model is what all accounts of a simulated Stripe share: the kinds, their shapes in a version of the API, and its endpoints.
type model struct {
	seed      uint64
	edition   schema.Edition
	kinds     []kind
	shapes    map[string]*shape
	numbered  []*shape // by the number of the kind
	byObject  map[string]string
	routes    []route
	endpoints map[int][]endpoint
}

// endpoint is a pattern of request paths.
type endpoint struct {
	pattern  string
	segments []string
	route    *route
	// single means that the endpoint returns one object.
	single bool
}

// newModel returns the model of APIVersion, with the endpoints of all versions.
func newModel(seed uint64, clocks float64) *model {
	usual, _ := schema.Of(APIVersion)
	m := &model{seed: mix(seed + 1), edition: usual, kinds: kinds()}
	m.fill(nil, routes())
	for i := range m.kinds {
		k := &m.kinds[i]
		if r := k.relation("test_clock"); r != nil && k.name == "customer" {
			r.odds = int(100 * clocks)
		}
	}
	return m
}

// in returns the model of an edition, with the same objects as m, the model of APIVersion.
func (m *model) in(e schema.Edition) *model {
	other := &model{seed: m.seed, edition: e, kinds: m.kinds}
	routes := slices.DeleteFunc(routes(), func(r route) bool { return !r.isIn(e) })
	if e.Version == m.edition.Version {
		other.shapes, other.numbered, other.byObject = m.shapes, m.numbered, m.byObject
		other.addEndpoints(routes)
		return other
	}
	other.fill(m, routes)
	return other
}

// fill makes the shapes and endpoints. If base is not nil, it decides the variants.
func (m *model) fill(base *model, routes []route) {
	m.shapes, m.byObject = map[string]*shape{}, map[string]string{}
	for i := range m.kinds {
		k := &m.kinds[i]
		s := &shape{model: m, kind: k, number: i}
		if base != nil {
			s.base = base.shapes[k.name]
		}
		m.shapes[k.name] = s
		m.numbered = append(m.numbered, s)
		if m.byObject[k.object] == "" && !k.hidden {
			m.byObject[k.object] = k.name
		}
	}
	m.addEndpoints(routes)
}

func (m *model) addEndpoints(routes []route) {
	m.routes, m.endpoints = routes, map[int][]endpoint{}
	for i := range m.routes {
		r := &m.routes[i]
		m.add(endpoint{pattern: r.path, route: r})
		if r.retrievable {
			m.add(endpoint{pattern: r.path + "/{id}", route: r, single: true})
		}
	}
}

func (m *model) add(e endpoint) {
	e.segments = segments(e.pattern)
	n := len(e.segments)
	m.endpoints[n] = append(m.endpoints[n], e)
	// A brace sorts after all letters, so /v1/charges/search comes before /v1/charges/{id}.
	slices.SortFunc(m.endpoints[n], func(a, b endpoint) int { return slices.Compare(a.segments, b.segments) })
}

// kindOf returns the usual kind of an object type, or "".
func (m *model) kindOf(object string) string { return m.byObject[object] }

// match returns the endpoint for a path, given as unescaped segments, and the ids in the path.
func (m *model) match(path []string) (*endpoint, []string) {
	candidates := m.endpoints[len(path)]
	for i := range candidates {
		if ids, ok := candidates[i].match(path); ok {
			return &candidates[i], ids
		}
	}
	return nil, nil
}

func (e *endpoint) match(path []string) (ids []string, ok bool) {
	for i, segment := range e.segments {
		switch {
		case segment[0] == '{':
			if path[i] == "" {
				return nil, false
			}
			ids = append(ids, path[i])
		case segment != path[i]:
			return nil, false
		}
	}
	return ids, true
}

// objects returns the object types in a route's list.
func (m *model) objects(r *route) []string {
	var objects []string
	for _, name := range r.kinds {
		objects = append(objects, m.shapes[name].kind.object)
	}
	return objects
}
