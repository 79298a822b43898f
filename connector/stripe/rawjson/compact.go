package rawjson

import "bytes"

// appendCompact appends src, which is valid JSON, to dst without the white space between tokens. dst may be src[:0].
func appendCompact(dst, src []byte) []byte {
	for i := 0; i < len(src); {
		switch c := src[i]; {
		case isSpace(c):
			i++
		case c == '"':
			end := stringEnd(src, i)
			dst = append(dst, src[i:end]...)
			i = end
		default:
			dst = append(dst, c)
			i++
		}
	}
	return dst
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// stringEnd gives the index behind the string that begins at src[start].
func stringEnd(src []byte, start int) int {
	for i := start + 1; ; {
		quote := i + bytes.IndexByte(src[i:], '"')
		backslashes := 0
		for src[quote-1-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return quote + 1
		}
		i = quote + 1
	}
}
