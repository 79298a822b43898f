package rawjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// cutter cuts a body while scanning it.
type cutter struct {
	scanner
	marks   []mark
	isList  bool
	hasMore bool
}

// mark tells where an element of a list, and what identifies it, lie in what the scanner wrote.
type mark struct {
	raw, id, kind, created span
}

// span is a part of what the scanner wrote. That of a member's value is empty if there is no such member.
type span struct{ from, to int }

func (s span) of(page string) string { return page[s.from:s.to] }

// cutters keeps what was allocated for the next body: pages follow each other closely, and are of a size.
var cutters = sync.Pool{New: func() any { return new(cutter) }}

// keptOut is the largest buffer that is kept: a page has some hundred KB.
const keptOut = 1 << 20

// newCutter gives a cutter of body, which is to be released.
func newCutter(body []byte) *cutter {
	c := cutters.Get().(*cutter)
	c.src = append(body, make([]byte, word)...)
	if len(c.out) < len(c.src) {
		c.out = make([]byte, len(c.src)+len(c.src)/8)
	}
	c.marks, c.isList, c.hasMore = c.marks[:0], false, false
	return c
}

func (c *cutter) release() {
	c.src = nil
	if len(c.out) <= keptOut {
		cutters.Put(c)
	}
}

// compact scans body, one value that is scanned like this, and gives what was written.
func (c *cutter) compact(body []byte, like func(i, n, depth int) (int, int)) (string, error) {
	i := c.space(0)
	if i == len(body) {
		return "", ErrEmpty
	}
	i, n := like(i, 0, 0)
	if i != bad {
		i = c.space(i)
	}
	if i != len(body) {
		return "", invalid(body)
	}
	return string(c.out[:n]), nil
}

func (c *cutter) cutList(list *List, body []byte) error {
	list.Objects, list.HasMore = list.Objects[:0], false
	page, err := c.compact(body, c.list)
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
			Raw: m.raw.of(page), ID: String(m.id.of(page)), Type: String(m.kind.of(page)), Created: Int(m.created.of(page)),
		})
	}
	return nil
}

// list scans what should be a list, and marks its elements.
func (c *cutter) list(i, n, depth int) (int, int) {
	if c.src[i] != '{' {
		return c.value(i, n, depth)
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
			i, n = c.elements(i, n)
		} else {
			i, n = c.value(i, n, 1)
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
func (c *cutter) elements(i, n int) (int, int) {
	i, n, more := c.open(i, n, ']')
	for more {
		m := mark{raw: span{from: n}}
		if c.src[i] == '{' {
			i, n = c.element(i, n, &m)
		} else {
			i, n = c.value(i, n, 2)
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

// element scans an object of a list, and marks what identifies it.
func (c *cutter) element(i, n int, m *mark) (int, int) {
	i, n, more := c.open(i, n, '}')
	for more {
		name := n
		if i, n = c.name(i, n); i == bad {
			break
		}
		value := n
		if i, n = c.value(i, n, 3); i == bad {
			break
		}
		switch string(c.out[name:value]) {
		case `"id":`:
			m.id = span{value, n}
		case `"object":`:
			m.kind = span{value, n}
		case `"created":`:
			m.created = span{value, n}
		}
		i, n, more = c.next(i, n, '}')
	}
	return i, n
}

// lenient is how invalid looks at bodies: names that occur twice are harmless here, and costly to look for.
var lenient = jsontext.AllowDuplicateNames(true)

// invalid says where body stops being JSON, without quoting it: it may hold a customer's data.
func invalid(body []byte) error {
	decoder := jsontext.NewDecoder(bytes.NewReader(body), lenient)
	_, err := decoder.ReadValue()
	if err == nil {
		return fmt.Errorf("the body has more than one JSON value, or white space and garbage, after byte %d", decoder.InputOffset())
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the body of %d bytes is truncated JSON", len(body))
	}
	return fmt.Errorf("the body of %d bytes is not valid JSON at byte %d", len(body), decoder.InputOffset())
}
