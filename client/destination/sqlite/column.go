package sqlite

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/types/known/structpb"
)

// kind is the type of a column, as SQLite's DDL names it.
type kind string

const (
	integer kind = "INTEGER"
	real    kind = "REAL"
	boolean kind = "BOOLEAN"
	text    kind = "TEXT"
)

// column is one that holds a value of the record.
type column struct {
	name string
	kind kind
}

// kindOf gives the column's kind for a property with this JSON Schema. Whatever is not plainly a number or boolean is TEXT,
// which takes every JSON value.
func kindOf(schema *structpb.Struct) kind {
	types := map[string]bool{}
	typesOf(schema, types)
	delete(types, "null")
	switch {
	case len(types) == 1 && types["integer"]:
		return integer
	case len(types) == 1 && types["number"], len(types) == 2 && types["integer"] && types["number"]:
		return real
	case len(types) == 1 && types["boolean"]:
		return boolean
	}
	return text
}

// typesOf adds the JSON types that a schema permits. A reference or a schema without a type permits any.
func typesOf(schema *structpb.Struct, types map[string]bool) {
	fields := schema.GetFields()
	named := false
	switch t := fields["type"].GetKind().(type) {
	case *structpb.Value_StringValue:
		types[t.StringValue], named = true, true
	case *structpb.Value_ListValue:
		for _, v := range t.ListValue.GetValues() {
			types[v.GetStringValue()], named = true, true
		}
	}
	for _, keyword := range []string{"anyOf", "oneOf"} {
		for _, member := range fields[keyword].GetListValue().GetValues() {
			typesOf(member.GetStructValue(), types)
			named = true
		}
	}
	if !named {
		types["any"] = true
	}
}

// schemaAt finds the schema of the field at a dotted path; nil if the schema does not name it.
func schemaAt(schema *structpb.Struct, path string) *structpb.Struct {
	for part := range strings.SplitSeq(path, ".") {
		schema = schema.GetFields()["properties"].GetStructValue().GetFields()[part].GetStructValue()
	}
	return schema
}

// value gives what to bind for a JSON value, and whether the column can hold it without loss.
func (k kind) value(raw string) (bound any, fits bool) {
	first := raw[0]
	switch {
	case first == 'n':
		return nil, true
	case first == '"':
		return unquote(raw), k == text
	case first == '{', first == '[':
		return raw, k == text
	case k == text:
		return raw, true
	case first == 't':
		return int64(1), k == boolean
	case first == 'f':
		return int64(0), k == boolean
	}
	switch k {
	case integer:
		n, err := strconv.ParseInt(raw, 10, 64)
		return n, err == nil
	case real:
		f, err := strconv.ParseFloat(raw, 64)
		// An integer beyond 2^53 would be rounded; a fraction is a float64 already where it comes from.
		const exact = 1 << 53
		return f, err == nil && (strings.ContainsAny(raw, ".eE") || (f > -exact && f < exact))
	}
	return nil, false
}

// unquote gives the content of a JSON string; without escapes it shares raw's memory.
func unquote(raw string) string {
	if !strings.Contains(raw, `\`) {
		return raw[1 : len(raw)-1]
	}
	b, _ := jsontext.AppendUnquote(nil, raw) // what it complains of is replaced by U+FFFD
	return string(b)
}
