package takeover

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector/stripe/config"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

// described is the part of a source's JSON Schema that a shape is made from. See package schema.
type described struct {
	Type                 typeNames             `json:"type"`
	Format               string                `json:"format"`
	Const                any                   `json:"const"`
	Properties           map[string]*described `json:"properties"`
	Items                *described            `json:"items"`
	AdditionalProperties json.RawMessage       `json:"additionalProperties"`
	Objects              []string              `json:"x-object"`
	Includable           string                `json:"x-includable"`
}

// typeNames is the value of the type keyword: one name or several.
type typeNames []string

// UnmarshalJSON accepts a string or an array of strings.
func (t *typeNames) UnmarshalJSON(text []byte) error {
	if text[0] == '"' {
		*t = typeNames{strings.Trim(string(text), `"`)}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(t))
}

// parseDescribed parses a source's schema.
func parseDescribed(text []byte) *described {
	p := &described{}
	if err := json.Unmarshal(text, p); err != nil {
		panic("takeover: a schema is not JSON: " + err.Error()) // generated, and tested
	}
	return p
}

// isList reports whether p is an embedded list: {object: "list", data, has_more, url}.
func (p *described) isList() bool {
	object := p.Properties["object"]
	return object != nil && object.Const == "list" && p.Properties["data"] != nil
}

// converter converts schemas to shapes.
type converter struct {
	times bool // times become text

	inside []string // the types of the enclosing embedded objects
}

// maxInside is the number of levels of embedded objects that are described.
const maxInside = 3

// shape returns the shape of the values that p describes.
func (c *converter) shape(p *described) *shape {
	if p == nil {
		return nil
	}
	if p.isList() {
		return &shape{kinds: anArray, items: c.shape(p.Properties["data"].Items)}
	}
	s := &shape{kinds: kindsOf(p.Type...)}
	if s.kinds == 0 {
		return nil
	}
	if p.Format == "unix-time" && c.times {
		return &shape{kinds: aString, format: asTime}
	}
	for name, below := range p.Properties {
		s.add(&field{name: name, shape: c.shape(below)})
	}
	for _, object := range p.Objects {
		c.embed(s, object)
	}
	s.items = c.shape(p.Items)
	return s
}

// embed adds the fields of an object type to s.
func (c *converter) embed(s *shape, object string) {
	if slices.Contains(c.inside, object) || len(c.inside) == maxInside {
		return
	}
	edition, _ := schema.Of(config.DefaultVersion)
	found, ok := edition.Lookup(object)
	if !ok {
		return
	}
	c.inside = append(c.inside, object)
	defer func() { c.inside = c.inside[:len(c.inside)-1] }()
	for name, below := range parseDescribed(found.JSON).Properties {
		added := c.shape(below)
		if known := s.named[name]; known != nil {
			added = merge(known.shape, added)
		}
		s.add(&field{name: name, shape: added})
	}
}

// merge returns a shape for the values of both shapes.
func merge(a, b *shape) *shape {
	if a == nil || b == nil || a.format != b.format {
		return nil
	}
	merged := &shape{kinds: a.kinds | b.kinds, format: a.format, items: a.items}
	for name, f := range a.named {
		merged.add(&field{name: name, shape: f.shape})
	}
	for name, f := range b.named {
		both := f.shape
		if known := merged.named[name]; known != nil {
			both = merge(known.shape, f.shape)
		}
		merged.add(&field{name: name, shape: both})
	}
	if b.items != nil {
		merged.items = b.items
		if a.items != nil {
			merged.items = merge(a.items, b.items)
		}
	}
	return merged
}
