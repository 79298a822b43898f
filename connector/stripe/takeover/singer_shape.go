package takeover

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// kinds is a set of JSON Schema's types. Null is always allowed.
type kinds uint8

const (
	aString kinds = 1 << iota
	anInteger
	aNumber
	aBoolean
	anObject
	anArray
)

// kindNames are the names of the types, in the order of the bits.
var kindNames = [...]string{"string", "integer", "number", "boolean", "object", "array"}

// kindsOf returns the set of the named types.
func kindsOf(names ...string) (all kinds) {
	for _, name := range names {
		if i := slices.Index(kindNames[:], name); i >= 0 {
			all |= 1 << i
		}
	}
	return all
}

// format is how a value becomes text.
type format uint8

const (
	asIs      format = iota
	asTime           // Unix seconds, as a date-time with six digits
	asDecimal        // a number or string, as a string
	asText           // any value but null, as a string; objects become JSON
	asIDs            // an array of objects, as an array of their ids; null if it is empty
)

// formatNames are the formats that schemas name.
var formatNames = map[format]string{asTime: "date-time", asDecimal: "singer.decimal"}

// shape is the type of a value, and how a value is made to fit it. A nil shape fits any value.
type shape struct {
	kinds  kinds
	format format
	only   *rawjson.Selection // the part of the value to send; nil means all of it
	fields []*field           // in the usual order of Stripe's objects
	named  map[string]*field
	items  *shape
	closed bool // members that aren't in fields are dropped
}

// field is a member of an object.
type field struct {
	name   string
	index  int
	member string // the quoted name and a colon
	shape  *shape
	column []byte // the quoted name under which it is sent, if that differs
	drop   bool
	key    bool // part of the table's key
}

// add adds or replaces a field. Call order afterwards.
func (s *shape) add(f *field) {
	if s.named == nil {
		s.named = map[string]*field{}
	}
	s.named[f.name] = f
}

// order sorts the fields, here and below, as Stripe does: id, object, then the others by name.
func (s *shape) order() {
	if s == nil {
		return
	}
	s.fields = slices.SortedFunc(maps.Values(s.named), func(a, b *field) int {
		rank := func(name string) int { return slices.Index([]string{"object", "id"}, name) }
		if ra, rb := rank(a.name), rank(b.name); ra != rb {
			return rb - ra
		}
		return strings.Compare(a.name, b.name)
	})
	for i, f := range s.fields {
		f.index, f.member = i, rawjson.Quote(f.name)+":"
		f.shape.order()
	}
	s.items.order()
}

// mostAbsent is how many fields in a row an object may lack before the next one is looked up by its name.
const mostAbsent = 3

// find returns the field of the member that starts at an index of text, or nil, and the index of its colon. at is the index of the
// field that is expected next, and is advanced. Comparing names in the usual order is much faster than looking them up.
func (s *shape) find(text string, i int, at *int) (f *field, colon int) {
	for n, next := range s.fields[*at:min(*at+mostAbsent, len(s.fields))] {
		if strings.HasPrefix(text[i:], next.member) {
			*at += n + 1
			return next, i + len(next.member) - 1
		}
	}
	colon = rawjson.Skip(text, i)
	name := text[i+1 : colon-1]
	if strings.IndexByte(name, '\\') >= 0 {
		name = rawjson.String(text[i:colon])
	}
	if f = s.named[name]; f != nil {
		*at = f.index + 1
	}
	return f, colon
}

// at returns the shape at a path of names below s, of which those that end in [] lead to the items of arrays. It adds what is
// missing.
func (s *shape) at(path string) *shape {
	for _, name := range strings.Split(path, ".") {
		name, items := strings.CutSuffix(name, "[]")
		f := s.named[name]
		if f == nil || f.shape == nil {
			f = &field{name: name, shape: &shape{kinds: anObject}}
			if items {
				f.shape.kinds = anArray
			}
			s.add(f)
		}
		if s = f.shape; items {
			if s.items == nil {
				s.items = &shape{kinds: anObject}
			}
			s = s.items
		}
	}
	return s
}

// dropAt drops the values at a path. Arrays along the path are transparent.
func (s *shape) dropAt(path []string) {
	for s != nil && s.items != nil && s.named == nil {
		s = s.items
	}
	if s == nil {
		return
	}
	f := s.named[path[0]]
	switch {
	case len(path) > 1 && f != nil:
		f.shape.dropAt(path[1:])
	case len(path) == 1 && f != nil:
		f.drop = true
	case len(path) == 1:
		s.add(&field{name: path[0], drop: true})
	}
}

// jsonSchema is a JSON Schema (draft 4), with its keywords in output order.
type jsonSchema struct {
	Type       []string               `json:"type,omitempty"`
	Format     string                 `json:"format,omitempty"`
	Properties map[string]*jsonSchema `json:"properties,omitempty"`
	Items      *jsonSchema            `json:"items,omitempty"`
}

// schema returns the JSON Schema of the values that s yields.
func (s *shape) schema() *jsonSchema {
	if s == nil {
		return &jsonSchema{}
	}
	out := &jsonSchema{Type: []string{"null"}, Format: formatNames[s.format], Items: nil}
	for i, name := range kindNames {
		if s.kinds&(1<<i) != 0 {
			out.Type = append(out.Type, name)
		}
	}
	for _, f := range s.named {
		if f.drop && !s.closed {
			continue
		}
		if out.Properties == nil {
			out.Properties = map[string]*jsonSchema{}
		}
		name := f.name
		if f.column != nil {
			name = rawjson.String(string(f.column))
		}
		out.Properties[name] = f.shape.schema()
	}
	if s.items != nil {
		out.Items = s.items.schema()
	}
	return out
}

// text returns the schema as JSON.
func (s *jsonSchema) text() []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic("takeover: a schema can't be marshaled: " + err.Error()) // it has strings only
	}
	return text
}
