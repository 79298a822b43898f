package rawjson

import (
	"iter"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Members returns an iterator over the names and values of the members of a compact object, in order. Any other value has
// none.
func Members(object string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if len(object) < 2 || object[0] != '{' || object[1] == '}' {
			return
		}
		for i := 1; i < len(object); i++ { // i is after '{' or ','
			nameEnd := skipString(object, i)
			valueEnd := skipValue(object, nameEnd+1)
			if !yield(unquoteName(object[i:nameEnd]), object[nameEnd+1:valueEnd]) {
				return
			}
			i = valueEnd // ',' or '}'
		}
	}
}

// Elements returns an iterator over the elements of a compact array, in order. Any other value has none.
func Elements(array string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if len(array) < 2 || array[0] != '[' || array[1] == ']' {
			return
		}
		for i := 1; i < len(array); i++ { // i is after '[' or ','
			end := skipValue(array, i)
			if !yield(array[i:end]) {
				return
			}
			i = end // ',' or ']'
		}
	}
}

// Lookup returns the value at a path of member names in a compact object, and whether it exists.
func Lookup(object string, path ...string) (string, bool) {
	for _, name := range path {
		found := false
		for n, v := range Members(object) {
			if n == name {
				object, found = v, true
				break
			}
		}
		if !found {
			return "", false
		}
	}
	return object, true
}

// String returns the content of a compact value that is a string, or "" for any other value.
func String(value string) string {
	if len(value) < 2 || value[0] != '"' {
		return ""
	}
	return unquoteName(value)
}

// Int returns a compact value that is an integer, or 0 for any other value.
func Int(value string) int64 {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// Quote returns s as a JSON string.
func Quote(s string) string { return string(appendQuote(nil, s)) }

// appendQuote appends s as a JSON string.
func appendQuote(dst []byte, s string) []byte {
	quoted, _ := jsontext.AppendQuote(dst, s) // invalid UTF-8 becomes U+FFFD
	return quoted
}

func unquoteName(quoted string) string {
	inner := quoted[1 : len(quoted)-1]
	if strings.IndexByte(inner, '\\') < 0 {
		return inner
	}
	unquoted, _ := jsontext.AppendUnquote(nil, quoted) // the caller guarantees a valid string
	return string(unquoted)
}

// Skip returns the index after the value or member name that starts at s[i], in compact JSON.
func Skip(s string, i int) int { return skipValue(s, i) }

// skipValue returns the index after the value that starts at s[i].
func skipValue(s string, i int) int {
	switch s[i] {
	case '"':
		return skipString(s, i)
	case '{', '[':
		return skipNested(s, i)
	}
	for i < len(s) && s[i] != ',' && s[i] != '}' && s[i] != ']' {
		i++
	}
	return i
}

func skipNested(s string, i int) int {
	for depth := 0; ; {
		switch s[i] {
		case '"':
			i = skipString(s, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
}

func skipString(s string, start int) int {
	for i := start + 1; ; {
		quote := i + strings.IndexByte(s[i:], '"')
		backslashes := 0
		for s[quote-1-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return quote + 1
		}
		i = quote + 1
	}
}

// WithMember returns a compact object with the value of a member set. It replaces an existing member and appends a missing
// one.
func WithMember(object, name, value string) string {
	for i := 1; len(object) > 2 && i < len(object); i++ {
		nameEnd := skipString(object, i)
		valueEnd := skipValue(object, nameEnd+1)
		if unquoteName(object[i:nameEnd]) == name {
			return object[:nameEnd+1] + value + object[valueEnd:]
		}
		i = valueEnd
	}
	separator := ","
	if len(object) == 2 {
		separator = ""
	}
	return object[:len(object)-1] + separator + Quote(name) + ":" + value + "}"
}

// Without returns a compact object without the member at a path of names, or the same object if it has none.
func Without(object string, path ...string) string {
	var kept []byte
	for name, value := range Members(object) {
		if name == path[0] {
			if len(path) == 1 {
				continue
			}
			value = Without(value, path[1:]...)
		}
		kept = append(appendQuote(append(kept, ','), name), ':')
		kept = append(kept, value...)
	}
	if kept == nil {
		if object[0] != '{' {
			return object
		}
		return "{}"
	}
	kept[0] = '{'
	return string(append(kept, '}'))
}
