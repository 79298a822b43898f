package table

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector/stripe/hint"
)

// property is what field selection needs to know of a JSON Schema.
type property struct {
	Properties           map[string]property `json:"properties"`
	AdditionalProperties json.RawMessage     `json:"additionalProperties"`
	Items                *property           `json:"items"`
	Type                 types               `json:"type"`
	Expandable           []string            `json:"x-expandable"`
	Objects              []string            `json:"x-object"`
}

// types is the type keyword of a JSON Schema: one name or several.
type types []string

// UnmarshalJSON accepts both forms.
func (t *types) UnmarshalJSON(text []byte) error {
	if text[0] == '"' {
		*t = types{strings.Trim(string(text), `"`)}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(t))
}

// Fields are the fields of a stream's records, as far as its schema knows them.
type Fields struct {
	row  *Stream
	root property
}

// Fields returns the fields of a stream.
func (t Table) Fields(row *Stream) Fields {
	fields := Fields{row: row}
	if err := json.Unmarshal(t.Shape(row).JSON, &fields.root); err != nil {
		panic(fmt.Sprintf("the schema of %s is not JSON: %v", row.Object, err)) // generated, and tested
	}
	return fields
}

// Problem returns what is wrong with the path of a field; empty if the field may exist.
func (f Fields) Problem(path string) string {
	names, at := strings.Split(path, "."), f.root
	for i, name := range names {
		for at.Items != nil {
			at = *at.Items
		}
		if at.open() {
			return ""
		}
		next, known := at.Properties[name]
		if !known {
			return unknownField(f.row, names[:i], name, at)
		}
		at = next
	}
	return ""
}

// open reports whether an object may have members that its schema does not name: a map, or an object of another schema.
func (p property) open() bool {
	return p.AdditionalProperties != nil || len(p.Expandable) > 0 || len(p.Objects) > 0 ||
		len(p.Properties) == 0 && slices.Contains(p.Type, "object")
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
	return fmt.Sprintf("%s has no field %s.%s Discover's json_schema lists them all.", where, hint.Quote(name), hint.Nearest(name, known))
}
