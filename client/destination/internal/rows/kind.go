package rows

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/types/known/structpb"
)

// Kind is what a column holds.
type Kind int

// The kinds of columns.
const (
	Integer Kind = iota + 1 // 64 bits
	Real                    // a float64
	Boolean
	Text // takes any value: a string's content, the JSON of anything else
	JSON // objects and lists, as JSON
)

// Exact is the largest integer up to which a float64 holds every one.
const Exact = 1 << 53

func (k Kind) String() string {
	return [...]string{"unknown", "integer", "real", "boolean", "text", "json"}[k]
}

// Wider returns the narrowest kind that holds the values of both.
func Wider(a, b Kind) Kind {
	switch {
	case a == b:
		return a
	case a == Integer && b == Real, a == Real && b == Integer:
		return Real
	}
	return Text
}

// kindOf returns the column's kind for a property with this JSON Schema. Whatever is not plainly of one kind is Text, which
// takes every JSON value.
func kindOf(schema *structpb.Struct) Kind {
	types := map[string]bool{}
	typesOf(schema, types)
	delete(types, "null")
	only := func(names ...string) bool {
		n := 0
		for _, name := range names {
			if types[name] {
				n++
			}
		}
		return n > 0 && n == len(types)
	}
	switch {
	case only("integer"):
		return Integer
	case only("integer", "number"):
		return Real
	case only("boolean"):
		return Boolean
	case only("object", "array"):
		return JSON
	}
	return Text
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

// value returns what to store for a JSON value: nil, an int64, a float64, a bool or a string. It also reports whether the
// column can hold the value without loss.
func (k Kind) value(raw string) (stored any, fits bool) {
	first := raw[0]
	if first == 'n' {
		return nil, true
	}
	switch k {
	case Text:
		if first != '"' {
			return raw, true
		}
		content, whole := unquote(raw)
		return content, whole && strings.IndexByte(content, 0) < 0 // a NUL ends a text in many a program, and PostgreSQL refuses it
	case JSON:
		return raw, (first == '{' || first == '[') && storable(raw)
	case Boolean:
		return first == 't', first == 't' || first == 'f'
	case Integer:
		n, err := strconv.ParseInt(raw, 10, 64)
		return n, err == nil
	case Real:
		f, err := strconv.ParseFloat(raw, 64)
		// An integer beyond Exact would be rounded; a fraction is a float64 already where it comes from.
		return f, err == nil && first != '"' && (strings.ContainsAny(raw, ".eE") || (f > -Exact && f < Exact))
	}
	return nil, false
}

// storable reports whether PostgreSQL's jsonb can hold a JSON value: it has no NUL, no half of a surrogate pair, and no number
// of more than some thousand digits (https://www.postgresql.org/docs/current/datatype-json.html). Surrogates in pairs are
// refused too, for the sake of one look at each byte: no source that writes UTF-8 has a need for them.
func storable(raw string) bool {
	quoted := false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '\\':
			i++
			if raw[i] == 'u' && (raw[i+1:i+5] == "0000" || (raw[i+1]|0x20 == 'd' && raw[i+2] >= '8')) {
				return false
			}
		case c == '"':
			quoted = !quoted
		case !quoted && c|0x20 == 'e' && i > 0 && raw[i-1] >= '0' && raw[i-1] <= '9': // not that of true or false
			digits := strings.TrimLeft(raw[i+1:min(len(raw), i+8)], "+-0")
			if len(digits) > 3 && strings.IndexFunc(digits[:4], func(r rune) bool { return r < '0' || r > '9' }) < 0 {
				return false
			}
		}
	}
	return true
}

// unquote returns the content of a JSON string; without escapes it shares raw's memory. Whole is false if the string has a
// half of a surrogate pair, which no text can hold, and which the content has as U+FFFD.
func unquote(raw string) (content string, whole bool) {
	if strings.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], true
	}
	b, err := jsontext.AppendUnquote(nil, raw)
	return string(b), err == nil
}
