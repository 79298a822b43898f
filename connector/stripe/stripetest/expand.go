package stripetest

import (
	"fmt"
	"slices"
	"strings"
)

// expansion is a tree of the properties to expand (https://docs.stripe.com/expand). A nil expansion expands nothing.
type expansion map[string]expansion

// deepestExpansion is the maximum number of levels that may be expanded.
const deepestExpansion = 4

// at returns what to expand below a path, and reports whether the path itself is expanded.
func (e expansion) at(path string) (expansion, bool) {
	for len(e) > 0 {
		name, rest, more := strings.Cut(path, ".")
		below, ok := e[name]
		if !ok {
			return nil, false
		}
		if !more {
			return below, true
		}
		e, path = below, rest
	}
	return nil, false
}

func (e expansion) add(path string) {
	for name := range strings.SplitSeq(path, ".") {
		if e[name] == nil {
			e[name] = expansion{}
		}
		e = e[name]
	}
}

// parseExpansion parses the expand parameters of a request for objects of the given types.
func (m *model) parseExpansion(paths, objects []string, isList bool) (expansion, *apiError) {
	if len(paths) == 0 {
		return nil, nil
	}
	e := expansion{}
	for _, path := range paths {
		if strings.Count(path, ".") >= deepestExpansion {
			return nil, invalid("expand", "", fmt.Sprintf("You cannot expand more than 4 levels of a property. Property: %s", path))
		}
		rest := path
		if isList {
			var ok bool
			if rest, ok = strings.CutPrefix(path, "data."); !ok {
				return nil, invalid("expand", "", fmt.Sprintf("This property cannot be expanded (%s). You may want to try expanding 'data.%s' instead.",
					path, path))
			}
		}
		if !slices.ContainsFunc(objects, func(object string) bool { return m.expandable(object, rest) }) {
			return nil, invalid("expand", "", fmt.Sprintf("This property cannot be expanded (%s).", path))
		}
		e.add(rest)
	}
	return e, nil
}

// expandable reports whether a path leads to an expandable property of an object type.
func (m *model) expandable(object, path string) bool {
	k := m.shapes[m.kindOf(object)]
	if k == nil {
		return false
	}
	k.build()
	return m.expandableNode(k.schema, path)
}

func (m *model) expandableNode(n *node, path string) bool {
	name, rest, more := strings.Cut(path, ".")
	p := n.Properties[name]
	if p == nil {
		return false
	}
	if p.Items != nil && !p.list() {
		optional := p.Optional
		p = p.Items
		if !more && optional {
			return true
		}
	}
	if !more {
		return len(p.Expandable) > 0 || p.list() || p.Optional && (len(p.Properties) > 0 || p.Type[0] == "object" || p.Type[0] == "string")
	}
	below := slices.Concat(p.Expandable, p.Object)
	if p.list() {
		if rest, more = strings.CutPrefix(rest, "data."); !more {
			return false
		}
		below = p.Properties["data"].Items.Object
	}
	if slices.ContainsFunc(below, func(object string) bool { return m.expandable(object, rest) }) {
		return true
	}
	return m.expandableNode(p, rest)
}
