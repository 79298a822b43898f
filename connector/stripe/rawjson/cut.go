package rawjson

import (
	"fmt"
	"slices"
)

// Lead is how many bytes, of any content, come before a body that is to be cut: it is cut where it is, and nothing is
// copied but what remains of it.
const Headroom = maxJoint

// Cutter validates, compacts and cuts bodies, one at a time. The zero value works. It may be used again, and is the
// faster the more alike the objects are that it has seen.
type Cutter struct {
	scanner
	marks   []mark
	isList  bool
	hasMore bool
}

// mark tells where an element of a list, and what identifies it, lie in what the scanner wrote.
type mark struct {
	raw    span
	values [kinds]span
}

// span is a part of what the scanner wrote. That of a member's value is empty if there is no such member.
type span struct{ from, to int }

func (s span) of(page string) string { return page[s.from:s.to] }

// CutList validates a list response and cuts it into list, whose slice is reused. The response is led by [Lead] bytes;
// all of these, and their spare capacity, are overwritten. The objects share one string and no memory with them. An
// error means that the response is empty, not valid JSON in UTF-8, or not a list.
//
// Objects keep what Stripe sent, but for white space and for halves of surrogate pairs, such as "\ud83d" alone: each
// becomes "\ufffd", the replacement character, because few destinations can store them.
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

// Compact validates one JSON value in UTF-8 and returns it without the white space between tokens. It is led and
// overwritten as by [Cutter.CutList].
func (c *Cutter) Compact(buf []byte) (string, error) { return c.scan(buf, c.value) }

// scan scans one value, as like does, and gives it compact.
func (c *Cutter) scan(buf []byte, like func(i, n, depth int, inside *place) (int, int)) (string, error) {
	length := len(buf) - Headroom
	if c.joints == nil || len(c.joints) == maxJoints { // from now on, others may be of more use
		c.memory = newMemory()
	}
	c.out = append(buf, make([]byte, maxJoint)...)
	c.src = c.out[Headroom:]
	defer func() { c.src, c.out = nil, nil }()
	i := c.space(0)
	if i == length {
		return "", ErrEmpty
	}
	i, n := like(i, 0, 0, &c.root)
	if i == bad {
		return "", c.invalid(length)
	}
	if i = c.space(i); i < length {
		return "", fmt.Errorf("the body has more than one JSON value, or garbage, at byte %d", i)
	}
	return string(c.out[:n]), nil
}

// invalid says where a body stops being JSON, without quoting it: it may hold a customer's data.
func (c *Cutter) invalid(length int) error {
	if c.failed >= length {
		return fmt.Errorf("the body of %d bytes is truncated JSON", length)
	}
	return fmt.Errorf("the body of %d bytes is not valid JSON at byte %d", length, c.failed)
}

// list scans what should be a list, and marks its elements.
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

// elements scans the elements of a list, and marks them.
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
