package rawjson

import "strings"

// Selection is a set of field paths, stored as a tree: "billing_details.email" selects one member of one member. Arrays are
// transparent: "lines.data.amount" selects the member in every element. A nil Selection selects everything.
type Selection struct {
	members map[string]*Selection
}

// Select returns the Selection of some paths. A path that is a prefix of another selects everything below it.
func Select(paths ...string) *Selection {
	root := &Selection{members: map[string]*Selection{}}
	for _, path := range paths {
		root.add(strings.Split(path, "."))
	}
	return root
}

func (s *Selection) add(path []string) {
	child, known := s.members[path[0]]
	switch {
	case known && child == nil: // already selected completely
	case len(path) == 1:
		s.members[path[0]] = nil
	default:
		if !known {
			child = &Selection{members: map[string]*Selection{}}
			s.members[path[0]] = child
		}
		child.add(path[1:])
	}
}

// Append appends the selected parts of a compact value to dst. A value that is neither an object nor an array is kept: a
// path may lead into an expandable field that currently holds an id.
func (s *Selection) Append(dst []byte, value string) []byte {
	switch {
	case s == nil || value == "":
		return append(dst, value...)
	case value[0] == '{':
		return s.appendObject(dst, value)
	case value[0] == '[':
		return s.appendArray(dst, value)
	}
	return append(dst, value...)
}

func (s *Selection) appendObject(dst []byte, object string) []byte {
	dst = append(dst, '{')
	first := true
	for name, value := range Members(object) {
		child, selected := s.members[name]
		if !selected {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = appendQuote(dst, name)
		dst = child.Append(append(dst, ':'), value)
	}
	return append(dst, '}')
}

func (s *Selection) appendArray(dst []byte, array string) []byte {
	dst = append(dst, '[')
	first := true
	for element := range Elements(array) {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = s.Append(dst, element)
	}
	return append(dst, ']')
}
