package stripetest

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// variantCount is the number of variants of each kind.
const variantCount = 16

// deepest is the deepest level at which objects are rendered: an expanded object in an item of an embedded list.
const deepest = 24

// step is a piece of a template: literal text followed by a slot.
type step struct {
	text string
	slot *slot
	// level is the indentation level of the slot's line.
	level int
	// guard, if set, means that the next skip steps apply only if this path is expanded. needs means that they apply only
	// to objects with this relation.
	guard string
	needs *relation
	skip  int
}

type template []step

// shape is the appearance of a kind's objects in an API version. All accounts share it.
type shape struct {
	model  *model
	kind   *kind
	number int
	// base is the shape that decides the variants: that of APIVersion. It is nil for the base itself.
	base *shape

	once    sync.Once
	schema  *node
	current []variant
	old     []variant
	// rendered holds the templates by level, from -1 up, and by shape.
	rendered [deepest + 2][2]atomic.Pointer[[]template]
}

// build generates the variants on first use.
func (s *shape) build() {
	s.once.Do(func() {
		if s.kind.name == "event" {
			s.current = []variant{newVariant(eventValue())}
			s.schema = load(s.model.edition, "event")
			return
		}
		s.schema = load(s.model.edition, s.kind.object)
		if s.base != nil {
			s.base.build()
		}
		for i := range variantCount {
			for _, old := range []bool{false, true} {
				seed := draw(s.model.seed, int32(i), saltOf(s.kind.name))
				b := builder{model: s.model, kind: s.kind, variant: i, rand: rand.New(rand.NewPCG(seed, 1)), old: old}
				if s.base != nil {
					b.base = &s.base.current[i]
				}
				v := newVariant(b.begin(s.schema))
				if old {
					s.old = append(s.old, v)
				} else {
					s.current = append(s.current, v)
				}
			}
		}
	})
}

// templates returns the templates of all variants at a level, in the shape of the current version or an old one.
func (s *shape) templates(level int, old bool) []template {
	level = min(level, deepest)
	generation := 0
	if old {
		generation = 1
	}
	place := &s.rendered[level+1][generation]
	if found := place.Load(); found != nil {
		return *found
	}
	s.build()
	variants := s.current
	if old {
		variants = s.old
	}
	made := make([]template, len(variants))
	for i, v := range variants {
		c := compiler{}
		c.value(v.root, level)
		c.flush()
		made[i] = c.template
	}
	place.Store(&made)
	return made
}

// compiler compiles a value to a template. A negative level means no white space.
type compiler struct {
	template template
	text     strings.Builder
}

func (c *compiler) flush() {
	if c.text.Len() > 0 {
		c.template = append(c.template, step{text: c.text.String()})
		c.text.Reset()
	}
}

func (c *compiler) slot(s *slot, level int) {
	c.template = append(c.template, step{text: c.text.String(), slot: s, level: level})
	c.text.Reset()
}

func (c *compiler) line(level int) {
	if level >= 0 {
		c.text.WriteByte('\n')
		for range level {
			c.text.WriteString("  ")
		}
	}
}

// deeper returns the level inside an object or array at the given level.
func deeper(level int) int {
	if level < 0 {
		return level
	}
	return level + 1
}

func (c *compiler) value(v value, level int) {
	switch {
	case v.slot != nil:
		c.slot(v.slot, level)
	case v.text != "":
		c.text.WriteString(v.text)
	case v.array:
		c.array(v.items, level)
	default:
		c.object(v.fields, level)
	}
}

func (c *compiler) object(fields []field, level int) {
	c.text.WriteByte('{')
	// A comma precedes each field after the first unconditional one, and follows each field before it.
	first := slices.IndexFunc(fields, func(f field) bool { return !f.isConditional() })
	if first < 0 {
		fields = fields[:min(len(fields), 1)]
	}
	for i, f := range fields {
		start := -1
		if f.isConditional() {
			c.flush()
			start = len(c.template)
			c.template = append(c.template, step{guard: f.guard, needs: f.needs})
		}
		if first >= 0 && i > first {
			c.text.WriteByte(',')
		}
		c.line(deeper(level))
		c.text.WriteString(quoted(f.name).text)
		c.text.WriteByte(':')
		if level >= 0 {
			c.text.WriteByte(' ')
		}
		c.value(f.value, deeper(level))
		if i < first {
			c.text.WriteByte(',')
		}
		if start >= 0 {
			c.flush()
			c.template[start].skip = len(c.template) - start - 1
		}
	}
	if len(fields) > 0 {
		c.line(level)
	}
	c.text.WriteByte('}')
}

func (c *compiler) array(items []value, level int) {
	c.text.WriteByte('[')
	for i, item := range items {
		if i > 0 {
			c.text.WriteByte(',')
		}
		c.line(deeper(level))
		c.value(item, deeper(level))
	}
	if len(items) > 0 {
		c.line(level)
	}
	c.text.WriteByte(']')
}
