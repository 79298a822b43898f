package rawjson

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner validates JSON in UTF-8 (RFC 8259) and writes it without the white space between tokens, and with lone surrogates
// replaced, in one pass. Its methods take the positions in src and out where they start, and return the positions where
// they ended. If the first one is bad, src is not valid.
//
// Whole words are read and written at the current positions, whatever else they contain:
//   - In src, the text is followed by as many zeros as the longest joint has bytes. Zeros are never valid in JSON, so every
//     token ends before them.
//   - What is written beyond the end of a token is overwritten by the next one.
//   - src and out share memory: out starts Headroom bytes earlier. Since compact text is never longer than its source, what is
//     written ends at or before the start of the text that it was read from.
type scanner struct {
	src, out []byte
	failed   int // position where src is not valid
	memory
	unmarked [kinds]span // spans of objects that aren't elements of the list
}

const (
	// word is the number of bytes that are processed at once.
	word = 8
	// null is the literal as a word.
	null = 'n' | 'u'<<8 | 'l'<<16 | 'l'<<24
	// bad is the position that is returned if src is not valid.
	bad = -1
	// maxDepth is the maximum nesting of arrays and objects, the same as in jsontext.
	maxDepth = 10_000
)

// fail records that src is not valid at i.
func (s *scanner) fail(i, n int) (int, int) {
	s.failed = i
	return bad, n
}

// value scans the value at src[i], which is nested in depth arrays and objects. inside is the place where objects in it
// start.
func (s *scanner) value(i, n, depth int, inside *place) (int, int) {
	switch s.src[i] {
	case '"':
		return s.text(i, n)
	case '{':
		return s.object(i, n, depth+1, inside, &s.unmarked)
	case '[':
		return s.array(i, n, depth+1, inside)
	case 'n':
		return s.literal(i, n, "null")
	case 't':
		return s.literal(i, n, "true")
	case 'f':
		return s.literal(i, n, "false")
	}
	return s.number(i, n)
}

// object scans an object that starts at the place in, and records the span of each value by its kind. The most frequent
// cases, an expected joint and null, are handled inline.
func (s *scanner) object(i, n, depth int, in *place, marks *[kinds]span) (int, int) {
	if depth > maxDepth {
		return s.fail(i, n)
	}
	s.out[n] = '{'
	i, n = i+1, n+1
	for at := in; ; {
		ahead, j := (*[maxJoint]byte)(s.src[i:]), at[0]
		if j != nil && j.matchesFirst(ahead) && (j.size <= short || j.matchesRest(ahead)) {
			j.write((*[maxJoint]byte)(s.out[n:]))
			i, n = i+j.size, n+j.written
		} else if i, n, j = s.joint(i, n, at, in); i == bad {
			return bad, n
		}
		if j.kind == toEnd {
			return i, n
		}
		from := n
		switch w := binary.LittleEndian.Uint32(s.src[i:]); {
		case w == null:
			binary.LittleEndian.PutUint32(s.out[n:], w)
			i, n = i+len("null"), n+len("null")
		case byte(w) == '"':
			i, n = s.text(i, n)
		default: // the joint may be followed by more white space than it contains
			i, n = s.value(s.space(i), n, depth, &j.inside)
		}
		if i == bad {
			return bad, n
		}
		marks[j.kind] = span{from, n}
		at = &j.after
	}
}

func (s *scanner) array(i, n, depth int, inside *place) (int, int) {
	if depth > maxDepth {
		return s.fail(i, n)
	}
	i, n, more := s.open(i, n, ']')
	for more {
		if i, n = s.value(i, n, depth, inside); i == bad {
			break
		}
		i, n, more = s.next(i, n, ']')
	}
	return i, n
}

// open scans the opening bracket of an object or array, and the closing one if it is empty. It reports whether there are
// elements.
func (s *scanner) open(i, n int, end byte) (int, int, bool) {
	s.out[n] = s.src[i]
	return s.first(i+1, n+1, end)
}

// first scans what follows an opening bracket: the closing one if there are no elements. It reports whether there are any.
func (s *scanner) first(i, n int, end byte) (int, int, bool) {
	i = s.space(i)
	if s.src[i] != end {
		return i, n, true
	}
	s.out[n] = end
	return i + 1, n + 1, false
}

// name scans the name of a member and the colon, up to its value.
func (s *scanner) name(i, n int) (int, int) {
	if s.src[i] != '"' {
		return s.fail(i, n)
	}
	i, n = s.text(i, n)
	if i == bad {
		return bad, n
	}
	if s.src[i] != ':' {
		if i = s.space(i); s.src[i] != ':' {
			return s.fail(i, n)
		}
	}
	s.out[n] = ':'
	i, n = i+1, n+1
	if s.src[i] == ' ' { // usually there is one
		i++
	}
	if s.src[i] <= ' ' {
		i = s.space(i)
	}
	return i, n
}

// next scans what follows an element of an object or array: a comma or the end. It reports whether there are more elements.
func (s *scanner) next(i, n int, end byte) (int, int, bool) {
	if s.src[i] <= ' ' {
		i = s.space(i)
	}
	c := s.src[i]
	s.out[n] = c
	switch c {
	case ',':
		return s.space(i + 1), n + 1, true
	case end:
		return i + 1, n + 1, false
	}
	i, n = s.fail(i, n)
	return i, n, false
}

// space skips white space, which is mostly the end of a line and the indentation of the next.
func (s *scanner) space(i int) int {
	src := s.src
	for {
		if c := src[i]; c > ' ' || c != '\n' && c != ' ' && c != '\t' && c != '\r' {
			return i
		}
		i++
		blanks := binary.LittleEndian.Uint64(src[i:]) ^ (ones * ' ')
		for blanks == 0 {
			i += word
			blanks = binary.LittleEndian.Uint64(src[i:]) ^ (ones * ' ')
		}
		i += firstByte(blanks)
	}
}

// ones has the lowest bit of each byte in a word set, and highs the highest bit.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// firstByte returns the index of the first byte of a word that is not zero.
func firstByte(w uint64) int { return bits.TrailingZeros64(w) / 8 }

// text scans a string, a word at a time while it is plain ASCII.
func (s *scanner) text(i, n int) (int, int) {
	src, out := s.src, s.out
	out[n] = '"'
	i, n = i+1, n+1
	for {
		w := binary.LittleEndian.Uint64(src[i:])
		binary.LittleEndian.PutUint64(out[n:], w)
		// The highest bit of a byte is set here if the byte is a control character, a quote, a backslash or not ASCII.
		// Borrows only affect bytes after the first such byte.
		special := (w | (w - ones*' ') | (w ^ ones*'"' - ones) | (w ^ ones*'\\' - ones)) & highs
		if special == 0 {
			i, n = i+word, n+word
			continue
		}
		plain := firstByte(special)
		i, n = i+plain, n+plain
		var size int
		switch c := src[i]; {
		case c == '"':
			return i + 1, n + 1
		case c == '\\':
			if size = escape(src[i:]); size == lone {
				copy(out[n:], replacement)
				i, n = i+len(replacement), n+len(replacement)
				continue
			}
		case c >= utf8.RuneSelf:
			if _, size = utf8.DecodeRune(src[i:]); size == 1 { // invalid UTF-8
				return s.fail(i, n)
			}
		}
		if size == 0 { // a control character or an invalid escape
			return s.fail(i, n)
		}
		copy(out[n:], src[i:i+size])
		i, n = i+size, n+size
	}
}

// lone is returned by escape for half of a surrogate pair.
const lone = -1

// replacement replaces half of a surrogate pair and has the same length. RFC 8259 permits such halves, and names that were
// cut in the middle of an emoji contain them, but they represent no character. Most JSON readers reject them (PostgreSQL's
// jsonb, I-JSON in RFC 7493) or, like encoding/json, read the replacement character.
const replacement = `\ufffd`

// escape returns the length of the escape at the start of src, lone for half of a surrogate pair, or 0 if it is invalid.
func escape(src []byte) int {
	switch src[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		r, ok := unicodeEscape(src)
		if !ok {
			return 0
		}
		if !utf16.IsSurrogate(r) {
			return 6
		}
		if second, ok := unicodeEscape(src[6:]); ok && utf16.DecodeRune(r, second) != utf8.RuneError {
			return 12
		}
		return lone
	}
	return 0
}

// unicodeEscape returns the code unit of an escape such as \u00e9.
func unicodeEscape(src []byte) (rune, bool) {
	if src[0] != '\\' || src[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(src[2:6]), 16, 16)
	return rune(unit), err == nil
}

// literal scans null, true or false. The last four bytes are compared and written at once.
func (s *scanner) literal(i, n int, literal string) (int, int) {
	last := len(literal) - 4
	end := binary.LittleEndian.Uint32(s.src[i+last:])
	if end != uint32(literal[last])|uint32(literal[last+1])<<8|uint32(literal[last+2])<<16|uint32(literal[last+3])<<24 {
		for k := 0; s.src[i] == literal[k]; k++ {
			i++
		}
		return s.fail(i, n)
	}
	s.out[n] = literal[0]
	binary.LittleEndian.PutUint32(s.out[n+last:], end)
	return i + len(literal), n + len(literal)
}

func (s *scanner) number(i, n int) (int, int) {
	src, out := s.src, s.out
	w := binary.LittleEndian.Uint64(src[i:])
	if size := firstByte(nonDigits(w)); byte(w) != '0' && 0 < size && size < word {
		if c := src[i+size]; c != '.' && c|' ' != 'e' { // a small integer, as most numbers are
			binary.LittleEndian.PutUint64(out[n:], w)
			return i + size, n + size
		}
	}
	if src[i] == '-' {
		out[n] = '-'
		i, n = i+1, n+1
	}
	if src[i] == '0' {
		out[n] = '0'
		i, n = i+1, n+1
	} else if i, n = s.digits(i, n); i == bad {
		return bad, n
	}
	if src[i] == '.' {
		out[n] = '.'
		if i, n = s.digits(i+1, n+1); i == bad {
			return bad, n
		}
	}
	if src[i] == 'e' || src[i] == 'E' {
		out[n] = src[i]
		i, n = i+1, n+1
		if src[i] == '+' || src[i] == '-' {
			out[n] = src[i]
			i, n = i+1, n+1
		}
		return s.digits(i, n)
	}
	return i, n
}

// digits scans at least one digit, a word at a time.
func (s *scanner) digits(i, n int) (int, int) {
	src, out := s.src, s.out
	for start := i; ; {
		w := binary.LittleEndian.Uint64(src[i:])
		binary.LittleEndian.PutUint64(out[n:], w)
		others := nonDigits(w)
		if others == 0 {
			i, n = i+word, n+word
			continue
		}
		i, n = i+firstByte(others), n+firstByte(others)
		if i == start {
			return s.fail(i, n)
		}
		return i, n
	}
}

// nonDigits sets the highest bit of each byte that is not a digit. Carries and borrows only affect bytes after the first
// such byte.
func nonDigits(w uint64) uint64 { return (w | (w - ones*'0') | (w + ones*(0x7f-'9'))) & highs }
