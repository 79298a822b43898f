package rows

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/types/known/structpb"
)

// Kind is the type of a column's values.
type Kind int

// The kinds of columns.
const (
	Integer Kind = iota + 1 // 64 bits
	Real                    // a float64
	Boolean
	Text // holds any value: strings as they are, anything else as JSON
	JSON // objects and arrays, as JSON
)

// Exact is 2^53. A float64 represents every integer up to it exactly.
const Exact = 1 << 53

func (k Kind) String() string {
	return [...]string{"unknown", "integer", "real", "boolean", "text", "json"}[k]
}

// Wider returns the narrowest kind that holds the values of both a and b.
func Wider(a, b Kind) Kind {
	switch {
	case a == b:
		return a
	case a == Integer && b == Real, a == Real && b == Integer:
		return Real
	}
	return Text
}

// kindOf returns the column kind for a property with this JSON Schema. Unless the schema permits values of one kind only,
// the column is Text, which holds any JSON value.
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

// typesOf adds the JSON types that a schema permits to types. A reference, or a schema without a type, permits any.
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

// schemaAt returns the schema of the field at a dotted path, or nil if the schema doesn't define it.
func schemaAt(schema *structpb.Struct, path string) *structpb.Struct {
	for part := range strings.SplitSeq(path, ".") {
		schema = schema.GetFields()["properties"].GetStructValue().GetFields()[part].GetStructValue()
	}
	return schema
}

// value converts a JSON value to the value to store: nil, an int64, a float64, a bool or a string. It also reports whether
// the column can hold the value without loss.
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
		return content, whole && strings.IndexByte(content, 0) < 0 // many programs end a string at a NUL, and PostgreSQL rejects it
	case JSON:
		return raw, (first == '{' || first == '[') && isStorable(raw)
	case Boolean:
		return first == 't', first == 't' || first == 'f'
	case Integer:
		n, err := strconv.ParseInt(raw, 10, 64)
		return n, err == nil
	case Real:
		f, err := strconv.ParseFloat(raw, 64)
		// Integers beyond Exact would be rounded. Fractions are float64 values at the source already.
		return f, err == nil && first != '"' && (strings.ContainsAny(raw, ".eE") || (f > -Exact && f < Exact))
	}
	return nil, false
}

// isStorable reports whether PostgreSQL's jsonb can hold a JSON value. It can't hold a NUL, half of a surrogate pair, or a
// number of more than a few thousand digits (https://www.postgresql.org/docs/current/datatype-json.html). For speed,
// storable also rejects complete surrogate pairs. No source that writes UTF-8 needs to escape them.
func isStorable(raw string) bool {
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
		case !quoted && c|0x20 == 'e' && i > 0 && raw[i-1] >= '0' && raw[i-1] <= '9': // an exponent, not the e of true or false
			digits := strings.TrimLeft(raw[i+1:min(len(raw), i+8)], "+-0")
			if len(digits) > 3 && strings.IndexFunc(digits[:4], func(r rune) bool { return r < '0' || r > '9' }) < 0 {
				return false
			}
		}
	}
	return true
}

// unquote returns the content of a JSON string. Content without escapes shares raw's memory. Whole is false if the string
// contains half of a surrogate pair, which text can't hold. It appears in content as U+FFFD.
func unquote(raw string) (content string, whole bool) {
	if strings.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], true
	}
	b, err := jsontext.AppendUnquote(nil, raw)
	return string(b), err == nil
}
