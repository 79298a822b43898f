package rawjson

import "bytes"

// compact removes the white space between the tokens of text, which is valid JSON, in place.
func compact(text []byte) []byte {
	n := 0
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '"':
			end := stringEnd(text, i)
			n += copy(text[n:], text[i:end])
			i = end
		case c <= ' ': // what else is that small would not be valid
			i++
		default:
			text[n] = c
			n++
			i++
		}
	}
	return text[:n]
}

// stringEnd gives the index behind the string that begins at text[start].
func stringEnd(text []byte, start int) int {
	for i := start + 1; ; {
		quote := i + bytes.IndexByte(text[i:], '"')
		backslashes := 0
		for text[quote-1-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return quote + 1
		}
		i = quote + 1
	}
}
