package rawjson

import (
	"fmt"
	"slices"
)

// Headroom is the number of bytes, of any content, that must precede a body to be cut. Cutting happens in place and
// overwrites them.
const Headroom = maxJoint

// Cutter validates, compacts and cuts bodies, one at a time. The zero value is ready to use. A Cutter can be reused, and is
// faster the more similar the objects are that it has seen.
type Cutter struct {
	scanner
	marks   []mark
	isList  bool
	hasMore bool
}

// mark records where an element of a list, and the values that identify it, are in the scanner's output.
type mark struct {
	raw    span
	values [kinds]span
}

// span is a part of the scanner's output. The span of a member's value is empty if the object doesn't have that member.
type span struct{ from, to int }

func (s span) of(page string) string { return page[s.from:s.to] }

// CutList validates a list response and cuts it into list, whose slice is reused. buf holds [Headroom] bytes followed by
// the response; all of it and its spare capacity are overwritten. The objects share one string, but no memory with buf. The
// error says that the response is empty, isn't valid JSON in UTF-8, or isn't a list.
//
// Objects remain as Stripe sent them, except for white space and for halves of surrogate pairs, such as a lone "\ud83d".
// Each half becomes "\ufffd", the replacement character, because few destinations can store it.
func (c *Cutter) CutList(list *List, buf []byte) error {
	list.Objects, list.HasMore = list.Objects[:0], false
	c.marks, c.isList, c.hasMore = c.marks[:0], false, false
	page, err := c.scan(buf, c.list)
	if err != nil {
		return err
	}
	if !c.isList {
		return ErrNotList
	}
	list.HasMore = c.hasMore
	list.Objects = slices.Grow(list.Objects, len(c.marks))
	for _, m := range c.marks {
		list.Objects = append(list.Objects, Object{
			Raw: m.raw.of(page), ID: String(m.values[toID].of(page)), Type: String(m.values[toType].of(page)), Created: Int(m.values[toCreated].of(page)),
		})
	}
	return nil
}

// Compact validates one JSON value in UTF-8 and returns it without the white space between tokens. See [Cutter.CutList] for
// buf.
func (c *Cutter) Compact(buf []byte) (string, error) { return c.scan(buf, c.value) }

// scan scans one value with the given function, and returns it in compact form.
func (c *Cutter) scan(buf []byte, scanValue func(i, n, depth int, inside *place) (int, int)) (string, error) {
	length := len(buf) - Headroom
	if c.joints == nil || len(c.joints) == maxJoints { // start over, since other joints may be more useful from now on
		c.memory = newMemory()
	}
	c.out = append(buf, make([]byte, maxJoint)...)
	c.src = c.out[Headroom:]
	defer func() { c.src, c.out = nil, nil }()
	i := c.space(0)
	if i == length {
		return "", ErrEmpty
	}
	i, n := scanValue(i, 0, 0, &c.root)
	if i == bad {
		return "", c.invalid(length)
	}
	if i = c.space(i); i < length {
		return "", fmt.Errorf("unexpected data after the JSON value at byte %d of the body", i)
	}
	return string(c.out[:n]), nil
}

// invalid returns an error that says where the body stops being valid JSON. It doesn't quote the body, which may contain
// customer data.
func (c *Cutter) invalid(length int) error {
	if c.failed >= length {
		return fmt.Errorf("the body of %d bytes is truncated JSON", length)
	}
	return fmt.Errorf("the body of %d bytes is not valid JSON at byte %d", length, c.failed)
}

// list scans a value that should be a list, and marks its elements.
func (c *Cutter) list(i, n, depth int, inside *place) (int, int) {
	if c.src[i] != '{' {
		return c.value(i, n, depth, inside)
	}
	i, n, more := c.open(i, n, '}')
	for more {
		name := n
		if i, n = c.name(i, n); i == bad {
			break
		}
		value, begin := n, c.src[i]
		isData := string(c.out[name:n]) == `"data":` && begin == '['
		isMore := string(c.out[name:n]) == `"has_more":`
		if isData {
			c.isList = true
			i, n = c.elements(i, n, inside)
		} else {
			i, n = c.value(i, n, 1, &c.others[toValue].inside)
		}
		if i == bad {
			break
		}
		if isMore {
			c.hasMore = string(c.out[value:n]) == "true"
		}
		i, n, more = c.next(i, n, '}')
	}
	return i, n
}

// elements scans the elements of a list and marks them.
func (c *Cutter) elements(i, n int, inside *place) (int, int) {
	i, n, more := c.open(i, n, ']')
	for more {
		m := mark{raw: span{from: n}}
		if c.src[i] == '{' {
			i, n = c.object(i, n, 3, inside, &m.values)
		} else {
			i, n = c.value(i, n, 2, inside)
		}
		if i == bad {
			break
		}
		m.raw.to = n
		c.marks = append(c.marks, m)
		i, n, more = c.next(i, n, ']')
	}
	return i, n
}
