package table

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/stripe-connector/stripe-connector/connector/stripe/hint"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

// property is the part of a JSON Schema that field selection needs.
type property struct {
	Properties           map[string]property `json:"properties"`
	AdditionalProperties json.RawMessage     `json:"additionalProperties"`
	Items                *property           `json:"items"`
	Type                 types               `json:"type"`
	Expandable           []string            `json:"x-expandable"`
	Objects              []string            `json:"x-object"`
	Includable           string              `json:"x-includable"`
	Optional             bool                `json:"x-optional"`
}

// types is the value of a JSON Schema's type keyword: one name or several.
type types []string

// UnmarshalJSON accepts a string or an array of strings.
func (t *types) UnmarshalJSON(text []byte) error {
	if text[0] == '"' {
		*t = types{strings.Trim(string(text), `"`)}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(t))
}

// Fields are the fields of a stream's records, as far as the schema knows them.
type Fields struct {
	row  *Stream
	root property
}

// parsedFields is the schema of a stream's records, parsed on first use. Reads share it, because it takes up hundreds of kilobytes.
type parsedFields struct {
	once sync.Once
	root property
}

// Fields returns the fields of a stream of t.
func (t Table) Fields(row *Stream) Fields {
	row.parsed.once.Do(func() {
		if err := json.Unmarshal(t.Shape(row).JSON, &row.parsed.root); err != nil {
			panic(fmt.Sprintf("the schema of %s is not JSON: %v", row.Object, err)) // generated, and tested
		}
	})
	return Fields{row: row, root: row.parsed.root}
}

// AllFields selects every field that a record has when no fields are selected.
const AllFields = "*"

// Column is a field selected by its path.
type Column struct {
	Path      string    // in a record; arrays are transparent
	Expansion Expansion // what Stripe must be asked for; no steps if it always includes the field
}

// Problem describes what is wrong with the path of a field. It returns "" if the field may exist.
func (f Fields) Problem(path string) string {
	_, problem := f.Column(path)
	return problem
}

// Column returns the field at a path such as "billing_details.email", "latest_charge.outcome.type" or "discounts[].coupon.name", or
// else a description of what is wrong with the path. A path may lead into objects that Stripe shows as ids unless expanded.
func (f Fields) Column(path string) (Column, string) {
	w := walk{row: f.row, names: strings.Split(strings.ReplaceAll(path, "[]", ""), "."), at: f.root}
	for w.depth < len(w.names) {
		if known, problem := w.step(); problem != "" || !known {
			return w.column(), problem
		}
	}
	return w.column(), w.tooDeep()
}

// walk is the state of following a path through schemas.
type walk struct {
	row   *Stream
	names []string
	depth int // the depth of at
	at    property
	steps []Step
}

func (w *walk) column() Column {
	return Column{Path: strings.Join(w.names, "."), Expansion: Expansion{Steps: w.steps}}
}

// step follows the next name of the path. It reports false if no schema describes what is below.
func (w *walk) step() (known bool, problem string) {
	for w.at.Items != nil {
		w.at = *w.at.Items
	}
	here := strings.Join(w.names[:w.depth], ".")
	if len(w.at.Expandable) > 0 {
		w.steps = append(w.steps, Step{Path: here})
		if problem := w.tooDeep(); problem != "" {
			return false, problem
		}
	}
	if objects := slices.Concat(w.at.Expandable, w.at.Objects); len(objects) > 0 {
		if w.at, known = schemaWith(w.row.edition, objects, w.names[w.depth]); !known {
			return false, ""
		}
	}
	if w.at.open() {
		return false, ""
	}
	next, known := w.at.Properties[w.names[w.depth]]
	if !known {
		return false, unknownField(w.row, w.names[:w.depth], w.names[w.depth], w.at)
	}
	w.at = next
	w.depth++
	if next.Includable != "" {
		w.steps = append(w.steps, Step{Path: strings.Join(w.names[:w.depth], "."), Includes: true})
	}
	return true, ""
}

// tooDeep returns a description of the problem if the path needs more levels than Stripe expands.
func (w *walk) tooDeep() string {
	if len(w.steps) == 0 {
		return ""
	}
	e := Expansion{Steps: w.steps}
	if w.row.Inline {
		e = e.Below(w.row.Embedded)
	}
	if e.Fits() {
		return ""
	}
	return fmt.Sprintf("%s leads through too many objects: Stripe expands at most %d levels of a list, including data.", w.column().Expansion.Path(), maxLevels)
}

// schemaWith returns the schema of the first of the object types that has the named property, or else that of the first type.
// It reports false if none of them has a schema.
func schemaWith(e schema.Edition, objects []string, name string) (property, bool) {
	var first property
	found := false
	for _, object := range objects {
		shape, ok := e.Lookup(object)
		if !ok {
			continue
		}
		var p property
		if err := json.Unmarshal(shape.JSON, &p); err != nil {
			panic(fmt.Sprintf("the schema of %s is not JSON: %v", object, err)) // generated, and tested
		}
		if _, has := p.Properties[name]; has {
			return p, true
		}
		if !found {
			first, found = p, true
		}
	}
	return first, found
}

// Defaults returns the expansions to request when no fields are selected.
func (f Fields) Defaults() []Expansion {
	return includable(f.root, "", func(offer string) bool { return offer == IncludedByDefault })
}

// Includable returns the fields of the stream's own objects that Stripe includes only when they are expanded.
func (f Fields) Includable() []Expansion {
	return includable(f.root, "", func(string) bool { return true })
}

func includable(p property, above string, wanted func(offer string) bool) []Expansion {
	var all []Expansion
	for _, name := range slices.Sorted(maps.Keys(p.Properties)) {
		field := p.Properties[name]
		if field.Includable != "" && wanted(field.Includable) {
			all = append(all, Expansion{Steps: []Step{{Path: above + name, Includes: true}}})
		}
		all = append(all, includable(field, above+name+".", wanted)...)
	}
	return all
}

// IncludedByDefault marks the schema fields that are expanded when no fields are selected: those that cost no extra request and
// little space in a page.
const IncludedByDefault = "by default"

// open reports whether an object may have members that its schema does not name, as it is a map or has its own schema.
func (p property) open() bool {
	return p.AdditionalProperties != nil || len(p.Properties) == 0 && slices.Contains(p.Type, "object")
}

func unknownField(row *Stream, above []string, name string, at property) string {
	known := make([]string, 0, len(at.Properties))
	for field := range at.Properties {
		known = append(known, field)
	}
	slices.Sort(known)
	where := row.Name
	if len(above) > 0 {
		where += "." + strings.Join(above, ".")
	}
	if len(known) == 0 {
		return fmt.Sprintf("%s has no fields below it, so no %s.", where, hint.Quote(name))
	}
	return fmt.Sprintf("%s has no field %s.%s Discover's json_schema lists all fields.", where, hint.Quote(name), hint.Nearest(name, known))
}
