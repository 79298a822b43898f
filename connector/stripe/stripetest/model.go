package stripetest

import "slices"

// model is what all accounts of a simulated Stripe share: the kinds, their shapes, and the endpoints.
type model struct {
	seed      uint64
	kinds     []kind
	shapes    map[string]*shape
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

func newModel(seed uint64, clocks float64) *model {
	m := &model{seed: mix(seed + 1), kinds: kinds(), shapes: map[string]*shape{}, byObject: map[string]string{}, routes: routes(),
		endpoints: map[int][]endpoint{}}
	for i := range m.kinds {
		k := &m.kinds[i]
		m.shapes[k.name] = &shape{model: m, kind: k, number: i}
		if r := k.relation("test_clock"); r != nil && k.name == "customer" {
			r.odds = int(100 * clocks)
		}
		if m.byObject[k.object] == "" && !k.hidden {
			m.byObject[k.object] = k.name
		}
	}
	for i := range m.routes {
		r := &m.routes[i]
		m.add(endpoint{pattern: r.path, route: r})
		if r.retrievable {
			m.add(endpoint{pattern: r.path + "/{id}", route: r, single: true})
		}
	}
	return m
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
